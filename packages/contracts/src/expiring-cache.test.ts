import { describe, expect, it } from 'vitest';
import { ExpiringCache } from './expiring-cache.js';

describe('ExpiringCache', () => {
  it('drops a value when it expires', () => {
    const cache = new ExpiringCache<string>(10);
    cache.set('a', 'x', 100);
    expect(cache.get('a', 99)).toBe('x');
    expect(cache.get('a', 100)).toBeUndefined();
  });

  it('drops the oldest value when it is full', () => {
    const cache = new ExpiringCache<number>(2);
    cache.set('a', 1, 100);
    cache.set('b', 2, 100);
    cache.set('a', 3, 100);
    cache.set('c', 4, 100);
    expect([cache.get('a', 0), cache.get('b', 0), cache.get('c', 0)]).toEqual([3, undefined, 4]);
  });

  it('deletes one value', () => {
    const cache = new ExpiringCache<number>(2);
    cache.set('a', 1, 100);
    cache.set('b', 2, 100);
    cache.delete('a');
    expect([cache.get('a', 0), cache.get('b', 0)]).toEqual([undefined, 2]);
  });

  it('can be cleared', () => {
    const cache = new ExpiringCache<number>(2);
    cache.set('a', 1, 100);
    cache.clear();
    expect(cache.get('a', 0)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { ExpiringCache } from './expiring-cache.js';

describe('the expiring cache', () => {
  it('forgets a value at its moment', () => {
    const cache = new ExpiringCache<string>(10);
    cache.set('a', 'x', 100);
    expect(cache.get('a', 99)).toBe('x');
    expect(cache.get('a', 100)).toBeUndefined();
  });

  it('lets the oldest make room', () => {
    const cache = new ExpiringCache<number>(2);
    cache.set('a', 1, 100);
    cache.set('b', 2, 100);
    cache.set('a', 3, 100);
    cache.set('c', 4, 100);
    expect([cache.get('a', 0), cache.get('b', 0), cache.get('c', 0)]).toEqual([3, undefined, 4]);
  });

  it('forgets one value when told to', () => {
    const cache = new ExpiringCache<number>(2);
    cache.set('a', 1, 100);
    cache.set('b', 2, 100);
    cache.delete('a');
    expect([cache.get('a', 0), cache.get('b', 0)]).toEqual([undefined, 2]);
  });

  it('can be emptied', () => {
    const cache = new ExpiringCache<number>(2);
    cache.set('a', 1, 100);
    cache.clear();
    expect(cache.get('a', 0)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { LoadingCache } from './loading-cache.js';

function recorded(maxEntries = 10) {
  const loads: string[][] = [];
  const clock = { ms: 0 };
  const values = new Map([
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
  const cache = new LoadingCache<number>({
    ttlMs: 100,
    maxEntries,
    now: () => clock.ms,
    load: async (keys) => {
      loads.push([...keys]);
      await Promise.resolve();
      return new Map([...values].filter(([key]) => keys.includes(key)));
    },
  });
  return { cache, clock, loads, values };
}

describe('a loading cache', () => {
  it('loads only values that it does not have', async () => {
    const { cache, loads } = recorded();
    expect(await cache.findAll(['a', 'b', 'a'])).toEqual(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    );
    expect(await cache.findAll(['b', 'c'])).toEqual(
      new Map([
        ['b', 2],
        ['c', 3],
      ]),
    );
    expect(loads).toEqual([['a', 'b'], ['c']]);
  });

  it('loads a value again that has become too old', async () => {
    const { cache, clock, values } = recorded();
    await cache.find('a');
    values.set('a', 10);
    clock.ms = 99;
    expect(await cache.find('a')).toBe(1);
    clock.ms = 100;
    expect(cache.peek('a')).toBeUndefined();
    expect(await cache.find('a')).toBe(10);
  });

  it('shares one load between concurrent calls', async () => {
    const { cache, loads } = recorded();
    const found = await Promise.all([cache.find('a'), cache.findAll(['a', 'b']), cache.find('b')]);
    expect(found).toEqual([
      1,
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
      2,
    ]);
    expect(loads).toEqual([['a'], ['b']]);
  });

  it('does not cache a missing value', async () => {
    const { cache, values } = recorded();
    expect(await cache.find('x')).toBeUndefined();
    values.set('x', 5);
    expect(await cache.find('x')).toBe(5);
  });

  it('does not keep a value that was read before it was dropped', async () => {
    const { cache, values } = recorded();
    const before = cache.find('a');
    cache.forget('a');
    values.set('a', 10);
    await before;
    expect(await cache.find('a')).toBe(10);
  });

  it('rejects as the load does, and loads again', async () => {
    let fails = true;
    const cache = new LoadingCache<number>({
      ttlMs: 100,
      maxEntries: 10,
      load: async () => {
        if (fails) throw new Error('away');
        return new Map([['a', 1]]);
      },
    });
    await expect(cache.find('a')).rejects.toThrow('away');
    fails = false;
    expect(await cache.find('a')).toBe(1);
  });

  it('keeps no more values than it may', async () => {
    const { cache } = recorded(2);
    for (const key of ['a', 'b', 'c']) await cache.find(key);
    expect(['a', 'b', 'c'].map((key) => cache.peek(key))).toEqual([undefined, 2, 3]);
  });
});

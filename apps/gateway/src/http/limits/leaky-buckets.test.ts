import { describe, expect, it } from 'vitest';
import { LeakyBuckets } from './leaky-buckets.js';

describe('leaky buckets', () => {
  const create = () => new LeakyBuckets({ perSecond: 10, burst: 3 });
  const pour = (buckets: LeakyBuckets, now: number, { name = 'a', amount = 1 } = {}) =>
    buckets.pour(name, amount, { now, maxWaitMs: 500 });

  it('take a burst at once, and then let one pass after another', () => {
    const buckets = create();
    const waits = Array.from({ length: 7 }, () => pour(buckets, 0));
    expect(waits).toEqual([0, 0, 0, 100, 200, 300, 400]);
  });

  it('refuse what would wait too long, and do not count it', () => {
    const buckets = create();
    for (let i = 0; i < 8; i += 1) pour(buckets, 0);
    expect([pour(buckets, 0), pour(buckets, 0)]).toEqual([undefined, undefined]);
    expect(pour(buckets, 100)).toBe(500);
  });

  it('leak with time', () => {
    const buckets = create();
    for (let i = 0; i < 3; i += 1) pour(buckets, 0);
    expect(pour(buckets, 100)).toBe(0);
    expect(pour(buckets, 100)).toBe(100);
    expect(pour(buckets, 10_000)).toBe(0);
  });

  it('are one for each name, and take amounts', () => {
    const buckets = create();
    expect(pour(buckets, 0, { amount: 7 })).toBe(400);
    expect(pour(buckets, 0, { name: 'b' })).toBe(0);
  });

  it('forget the names that came first when there are very many', () => {
    const buckets = create();
    pour(buckets, 0, { amount: 7 });
    for (let i = 0; i < 50_000; i += 1) pour(buckets, 0, { name: `${i}` });
    expect(pour(buckets, 0)).toBe(0);
  });
});

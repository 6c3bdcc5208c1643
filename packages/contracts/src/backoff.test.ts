import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.js';

describe('backoffMs', () => {
  const backoff = { initialMs: 100, maxMs: 1_000 };

  it('doubles with every failed attempt, up to the maximum', () => {
    const waits = [1, 2, 3, 4, 5, 6].map((failed) => backoffMs(failed, backoff, 0));
    expect(waits).toEqual([50, 100, 200, 400, 500, 500]);
  });

  it('stays between half of the first upper bound and the last one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failed, random) => {
          const wait = backoffMs(failed, backoff, random);
          expect(wait >= 50 && wait <= 1_000).toBe(true);
        },
      ),
    );
  });

  it('is at least half of its upper bound and never reaches it', () => {
    expect(backoffMs(2, backoff, 0)).toBe(100);
    expect(backoffMs(2, backoff, 0.5)).toBe(150);
    expect(backoffMs(2, backoff, 1 - Number.EPSILON)).toBeLessThanOrEqual(200);
  });

  it('stays at the maximum when the doubled number overflows', () => {
    expect(backoffMs(5_000, backoff, 0)).toBe(500);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, resolveRetry } from './retry-policy.js';

describe('resolveRetry', () => {
  it('tries five times and knows no retry topics unless told', () => {
    expect(resolveRetry()).toMatchObject({
      maxAttempts: 5,
      initialMs: 200,
      maxMs: 10_000,
      delaysMs: [],
    });
    expect(resolveRetry().isRetryable(new Error())).toBe(true);
  });

  it('takes attempts without end', () => {
    expect(resolveRetry({ maxAttempts: Infinity }).maxAttempts).toBe(Infinity);
  });

  it.each([
    { maxAttempts: 0 },
    { maxAttempts: 1.5 },
    { maxAttempts: Number.NaN },
    { initialMs: -1 },
    { initialMs: 10, maxMs: 5 },
    { maxMs: Infinity },
    { delaysMs: [1, -1] },
    { delaysMs: [Infinity] },
  ])('refuses %o', (options) => {
    expect(() => resolveRetry(options)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });
});

describe('backoffMs', () => {
  it('doubles up to its limit, half of it random', () => {
    const limits = { initialMs: 100, maxMs: 1_000 };
    expect([1, 2, 3, 4, 5, 50].map((failed) => backoffMs(failed, limits, 0))).toEqual([
      50, 100, 200, 400, 500, 500,
    ]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (n, r) => {
          const wait = backoffMs(n, limits, r);
          expect(wait >= 50 && wait <= 1_000).toBe(true);
        },
      ),
    );
  });
});

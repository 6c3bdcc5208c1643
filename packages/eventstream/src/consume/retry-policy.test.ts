import { describe, expect, it } from 'vitest';
import { resolveRetry } from './retry-policy.js';

describe('resolveRetry', () => {
  it('makes five calls and has no retry topics by default', () => {
    expect(resolveRetry()).toMatchObject({
      maxAttempts: 5,
      initialMs: 200,
      maxMs: 10_000,
      delaysMs: [],
    });
    expect(resolveRetry().isRetryable(new Error())).toBe(true);
  });

  it('accepts calls without end', () => {
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

import { readFile } from 'node:fs/promises';
import { backoffMs } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { resolveRetry } from './retry-policy.js';

/** Returns when a call comes, in seconds after the first one, if no call takes time. */
function timeOfCall(call: number, random: number, policy = resolveRetry()): number {
  let ms = 0;
  for (let failed = 1; failed < call; failed += 1) ms += backoffMs(failed, policy, random);
  return ms / 1_000;
}

describe('resolveRetry', () => {
  it('calls again for five minutes at least, without retry topics, by default', () => {
    const policy = resolveRetry();
    expect(policy).toMatchObject({
      maxAttempts: 28,
      initialMs: 200,
      maxMs: 30_000,
      delaysMs: [],
    });
    expect(policy.isRetryable(new Error())).toBe(true);
    expect(timeOfCall(policy.maxAttempts, 0)).toBeGreaterThanOrEqual(300);
    expect(timeOfCall(policy.maxAttempts - 1, 0)).toBeLessThan(300);
  });

  it.each([{ maxMs: 1_000 }, { initialMs: 2, maxMs: 4 }, { initialMs: 100_000, maxMs: 900_000 }])(
    'calls again for five minutes with other waits too: %o',
    (waits) => {
      const { maxAttempts } = resolveRetry(waits);
      expect(timeOfCall(maxAttempts, 0, resolveRetry(waits))).toBeGreaterThanOrEqual(300);
    },
  );

  it('makes five calls before the first retry topic', () => {
    expect(resolveRetry({ delaysMs: [60_000] }).maxAttempts).toBe(5);
    expect(resolveRetry({ delaysMs: [60_000], maxAttempts: 1 }).maxAttempts).toBe(1);
  });

  it('calls at the times that the table of the README says', async () => {
    const readme = await readFile(`${import.meta.dirname}/../../README.md`, 'utf8');
    const rows = readme.matchAll(/^\| (\d+) +\| ([\d.]+) s +\| ([\d.]+) s +\|$/gm);
    const said = [...rows].map(([, ...cells]) => cells.map(Number));
    expect(said.map(([call]) => call)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 28]);
    for (const [call = 0, earliest = 0, latest = 0] of said) {
      expect(timeOfCall(call, 0)).toBeCloseTo(earliest, 5);
      expect(timeOfCall(call, 1)).toBeCloseTo(latest, 5);
    }
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

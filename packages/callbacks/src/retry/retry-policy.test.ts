import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideRetry,
  type ExponentialPolicy,
  fromStoredPolicy,
  type RetryContext,
  type RetryPhase,
  type RetryPolicy,
  singleAttempt,
  toStoredPolicy,
} from './retry-policy.js';

const ask = (policy: RetryPolicy, failures: number, more: Partial<RetryContext> = {}) =>
  decideRetry({
    policy,
    failures,
    ageMs: 0,
    expiresInMs: undefined,
    retryAfterMs: undefined,
    random: 0,
    ...more,
  });

const phase = fc.record({
  retries: fc.nat(20),
  delayNs: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
});
const exponential: ExponentialPolicy = {
  kind: 'exponential',
  initialDelayMs: 1_000,
  factor: 2,
  maxDelayMs: 60_000,
  maxRetries: 10,
  jitter: 0.5,
  maxAgeMs: undefined,
};

describe('retry policy', () => {
  it('makes one attempt without phases', () => {
    expect(ask(singleAttempt, 1)).toEqual({ kind: 'give-up', ending: 'failed' });
  });

  it('runs the phases one after another, each delay exact, before every one of its attempts', () => {
    fc.assert(
      fc.property(fc.array(phase, { maxLength: 6 }), (phases: RetryPhase[]) => {
        const expected = phases.flatMap(({ retries, delayNs }) =>
          Array.from({ length: retries }, () => delayNs),
        );
        const policy: RetryPolicy = { kind: 'phases', phases };
        const delays = expected.map((_, i) => ask(policy, i + 1));
        expect(delays).toEqual(expected.map((delayNs) => ({ kind: 'retry', delayNs })));
        expect(ask(policy, expected.length + 1)).toEqual({ kind: 'give-up', ending: 'failed' });
      }),
    );
  });

  it('never jitters a delay that the caller fixed', () => {
    const policy: RetryPolicy = {
      kind: 'phases',
      phases: [{ retries: 1, delayNs: 9_007_199_254_740_993n }],
    };
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (random) => {
        expect(ask(policy, 1, { random })).toEqual({
          kind: 'retry',
          delayNs: 9_007_199_254_740_993n,
        });
      }),
    );
  });

  it('keeps exponential waits between the share that is fixed and the cap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failures, random) => {
          const answer = ask(exponential, failures, { random });
          const full = Math.min(60_000, 1_000 * 2 ** (failures - 1));
          if (answer.kind !== 'retry') throw new Error('gave up early');
          const waitMs = Number(answer.delayNs) / 1e6;
          expect(waitMs).toBeGreaterThanOrEqual(full / 2);
          expect(waitMs).toBeLessThanOrEqual(full);
        },
      ),
    );
    expect(ask(exponential, 11).kind).toBe('give-up');
  });

  it('takes the later of Retry-After and the policy, and no more than a day', () => {
    const policy: RetryPolicy = {
      kind: 'phases',
      phases: [{ retries: 9, delayNs: 5_000_000_000n }],
    };
    const delayOf = (retryAfterMs: number) => ask(policy, 1, { retryAfterMs });
    expect(delayOf(1_000)).toEqual({ kind: 'retry', delayNs: 5_000_000_000n });
    expect(delayOf(9_000)).toEqual({ kind: 'retry', delayNs: 9_000_000_000n });
    expect(delayOf(1e12)).toEqual({ kind: 'retry', delayNs: 86_400_000_000_000n });
  });

  it('lengthens short delays, the first ones less', () => {
    const policy: RetryPolicy = { kind: 'phases', phases: [{ retries: 9_999, delayNs: 0n }] };
    const delayOf = (failures: number, rule: RetryPolicy = policy, minDelayMs = 1_000) => {
      const answer = ask(rule, failures, { minDelayMs });
      return answer.kind === 'retry' ? Number(answer.delayNs) / 1e6 : answer.ending;
    };
    const delays = [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000];
    expect(delays.map((_, i) => delayOf(i + 1))).toEqual(delays);
    expect([delayOf(9_999), delayOf(10_000)]).toEqual([1_000, 'failed']);
    expect(delayOf(1, policy, 5)).toBe(5);
    expect(delayOf(9_999, policy, 0)).toBe(0);
    const quick = { ...exponential, initialDelayMs: 1, maxDelayMs: 1, maxRetries: 20, jitter: 1 };
    expect(delayOf(20, quick)).toBe(1_000);
    const longer: RetryPolicy = {
      kind: 'phases',
      phases: [{ retries: 99, delayNs: 1_500_000_000n }],
    };
    expect(delayOf(50, longer)).toBe(1_500);
  });

  it('gives up when the lengthened delay ends after the expiry', () => {
    const policy: RetryPolicy = { kind: 'phases', phases: [{ retries: 99, delayNs: 0n }] };
    const answer = ask(policy, 20, { minDelayMs: 1_000, expiresInMs: 1_000 });
    expect(answer).toEqual({ kind: 'give-up', ending: 'expired' });
  });

  it('gives up when the next attempt would come after the expiry or the maximum age', () => {
    const policy: RetryPolicy = {
      kind: 'phases',
      phases: [{ retries: 9, delayNs: 5_000_000_000n }],
    };
    expect(ask(policy, 1, { expiresInMs: 5_000 })).toEqual({ kind: 'give-up', ending: 'expired' });
    expect(ask(policy, 1, { expiresInMs: 5_001 }).kind).toBe('retry');
    const aged = { ...exponential, maxAgeMs: 10_000, jitter: 0 };
    expect(ask(aged, 1, { ageMs: 9_001 })).toEqual({ kind: 'give-up', ending: 'failed' });
    expect(ask(aged, 1, { ageMs: 9_000 }).kind).toBe('retry');
  });

  it('comes back from the store as it was', () => {
    fc.assert(
      fc.property(fc.array(phase, { maxLength: 6 }), (phases) => {
        const policy: RetryPolicy = { kind: 'phases', phases };
        const stored = JSON.parse(JSON.stringify(toStoredPolicy(policy)));
        expect(fromStoredPolicy(stored)).toEqual(policy);
      }),
    );
    expect(fromStoredPolicy(toStoredPolicy(exponential))).toEqual(exponential);
  });
});

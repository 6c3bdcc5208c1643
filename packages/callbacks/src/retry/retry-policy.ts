import { PlatformError } from '@posthaste/contracts';

/** Attempts after the first: `retries` of them, each `delayNs` after the failure before it. */
export interface RetryPhase {
  readonly retries: number;
  /** Nanoseconds, exact; never jittered, because the caller fixed it. */
  readonly delayNs: bigint;
}

/** Retry policy of phases that run one after another. */
export interface PhasesPolicy {
  readonly kind: 'phases';
  readonly phases: readonly RetryPhase[];
  /** True if the caller left the policy out. The compatible API then shows null instead of `[]`. */
  readonly leftOut?: true;
}

/** Retry policy whose delays grow by `factor` up to `maxDelayMs`, with jitter. */
export interface ExponentialPolicy {
  readonly kind: 'exponential';
  readonly initialDelayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
  /** Attempts after the first. */
  readonly maxRetries: number;
  /** Share of each delay that is random, 0 to 1. */
  readonly jitter: number;
  /** No attempt starts later than this after the callback was accepted, in ms. Absent: no limit. */
  readonly maxAgeMs: number | undefined;
}

/** Retry policy of a callback. */
export type RetryPolicy = PhasesPolicy | ExponentialPolicy;

/** Policy of a callback with an empty list of phases: one attempt, no retries. */
export const singleAttempt: RetryPolicy = { kind: 'phases', phases: [] };

/** Policy of a callback whose caller left it out: one attempt, no retries. */
export const leftOutPolicy: RetryPolicy = { kind: 'phases', phases: [], leftOut: true };

/** Policy of an endpoint without one: about 16 hours of retries. */
export const defaultEndpointPolicy: ExponentialPolicy = {
  kind: 'exponential',
  initialDelayMs: 5_000,
  factor: 3,
  maxDelayMs: 4 * 3_600_000,
  maxRetries: 10,
  jitter: 0.2,
  maxAgeMs: undefined,
};

/** Longest delay that a receiver can ask for by Retry-After, in ms. */
const maxRetryAfterMs = 24 * 3_600_000;
const nsPerMs = 1_000_000n;
/** Shortest delay of the first retry, in ms, unless `minDelayMs` is less. */
const firstShortestMs = 10;

/** Values that decide about a retry. */
export interface RetryContext {
  readonly policy: RetryPolicy;
  /** Attempts that failed so far, 1 or more. Those of unknown outcome do not count. */
  readonly failures: number;
  /** Milliseconds since the callback was accepted. */
  readonly ageMs: number;
  /** Milliseconds until the callback expires, if it does. */
  readonly expiresInMs: number | undefined;
  /** Delay that the receiver asked for by Retry-After, in ms from now. */
  readonly retryAfterMs: number | undefined;
  /** Shortest delay of retries, after the first few: see {@link shortestDelayNs}. Default 0. */
  readonly minDelayMs?: number | undefined;
  /** In [0, 1). */
  readonly random: number;
}

/** Decision after a failed attempt. */
export type RetryDecision =
  | { readonly kind: 'retry'; readonly delayNs: bigint }
  | { readonly kind: 'give-up'; readonly ending: 'failed' | 'expired' };

/**
 * Decides whether there is another attempt, and computes its delay: the policy's, or Retry-After or
 * the shortest delay of the installation if that is longer. Gives up when the policy has no more retries, or when the next attempt would come
 * after the callback's expiry or the policy's maximum age. Pure.
 */
export function decideRetry(context: RetryContext): RetryDecision {
  const { policy, failures, retryAfterMs, expiresInMs, ageMs, random } = context;
  const policyDelayNs =
    policy.kind === 'phases'
      ? phaseDelayNs(policy.phases, failures)
      : exponentialDelayNs(policy, failures, random);
  if (policyDelayNs === undefined) return { kind: 'give-up', ending: 'failed' };
  const askedNs = BigInt(Math.ceil(Math.min(retryAfterMs ?? 0, maxRetryAfterMs))) * nsPerMs;
  const delayNs = longer(
    longer(policyDelayNs, askedNs),
    shortestDelayNs(failures, context.minDelayMs),
  );
  const delayMs = Number(delayNs / nsPerMs);
  if (expiresInMs !== undefined && delayMs >= expiresInMs) {
    return { kind: 'give-up', ending: 'expired' };
  }
  const maxAgeMs = policy.kind === 'exponential' ? policy.maxAgeMs : undefined;
  if (maxAgeMs !== undefined && ageMs + delayMs > maxAgeMs) {
    return { kind: 'give-up', ending: 'failed' };
  }
  return { kind: 'retry', delayNs };
}

/**
 * Returns the shortest delay of a retry. It doubles with each, up to `minDelayMs`: a few quick
 * retries do no harm, and receivers that fail for a moment get them; thousands without a wait would
 * keep a worker and the database busy for one callback.
 */
function shortestDelayNs(failures: number, minDelayMs = 0): bigint {
  const ms = Math.min(minDelayMs, firstShortestMs * 2 ** (failures - 1));
  return BigInt(Math.ceil(ms)) * nsPerMs;
}

function longer(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function phaseDelayNs(phases: readonly RetryPhase[], failures: number): bigint | undefined {
  let left = failures;
  for (const phase of phases) {
    if (left <= phase.retries) return phase.delayNs;
    left -= phase.retries;
  }
  return undefined;
}

/** Not `backoffMs` of @posthaste/contracts: factor and jitter are the caller's choice. */
function exponentialDelayNs(
  policy: ExponentialPolicy,
  failures: number,
  random: number,
): bigint | undefined {
  if (failures > policy.maxRetries) return undefined;
  const full = Math.min(policy.maxDelayMs, policy.initialDelayMs * policy.factor ** (failures - 1));
  const delayMs = full * (1 - policy.jitter * random);
  return BigInt(Math.round(delayMs * 1_000)) * 1_000n;
}

/**
 * Converts a policy to JSON for the database: bigints as decimal text, because JSON numbers are not
 * exact.
 */
export function toStoredPolicy(policy: RetryPolicy): unknown {
  if (policy.kind === 'exponential') return policy;
  const phases = policy.phases.map(({ retries, delayNs }) => [retries, delayNs.toString()]);
  return { kind: 'phases', phases, ...(policy.leftOut && { leftOut: true }) };
}

interface StoredPhases {
  readonly kind: 'phases';
  readonly phases: readonly (readonly [retries: number, delayNs: string])[];
  /** Missing in rows of releases before this one. */
  readonly leftOut?: true;
}

/** Reads a policy from the database. @throws PlatformError `INTERNAL` */
export function fromStoredPolicy(stored: unknown): RetryPolicy {
  const policy = stored as ExponentialPolicy | StoredPhases;
  switch (policy.kind) {
    case 'exponential':
      return policy;
    case 'phases':
      if (policy.phases.length === 0) return policy.leftOut ? leftOutPolicy : singleAttempt;
      return {
        kind: 'phases',
        phases: policy.phases.map(([retries, delay]) => ({ retries, delayNs: BigInt(delay) })),
      };
    default:
      throw new PlatformError(
        'INTERNAL',
        'a stored retry policy is neither phases nor exponential',
      );
  }
}

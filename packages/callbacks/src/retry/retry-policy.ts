import { PlatformError } from '@posthaste/contracts';

/** Attempts after the first: `retries` of them, each `delayNs` after the failure before it. */
export interface RetryPhase {
  readonly retries: number;
  /** Nanoseconds, exact; never jittered, because the caller fixed it. */
  readonly delayNs: bigint;
}

/** Phases run one after another. */
export interface PhasesPolicy {
  readonly kind: 'phases';
  readonly phases: readonly RetryPhase[];
}

/** Each wait is `factor` times the one before, up to `maxDelayMs`, with jitter. */
export interface ExponentialPolicy {
  readonly kind: 'exponential';
  readonly initialDelayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
  /** Attempts after the first. */
  readonly maxRetries: number;
  /** Share of each wait that is random, 0 to 1. */
  readonly jitter: number;
  /** No attempt starts later than this after the callback was accepted. */
  readonly maxAgeMs: number | undefined;
}

export type RetryPolicy = PhasesPolicy | ExponentialPolicy;

/** One attempt, no retries: what a callback without phases gets. */
export const singleAttempt: RetryPolicy = { kind: 'phases', phases: [] };

/** For endpoints that choose none: about 16 hours of retries. */
export const defaultEndpointPolicy: ExponentialPolicy = {
  kind: 'exponential',
  initialDelayMs: 5_000,
  factor: 3,
  maxDelayMs: 4 * 3_600_000,
  maxRetries: 10,
  jitter: 0.2,
  maxAgeMs: undefined,
};

/** A wait of at most this long is asked for by a receiver's Retry-After. */
const maxRetryAfterMs = 24 * 3_600_000;
const nsPerMs = 1_000_000n;

export interface RetryQuestion {
  readonly policy: RetryPolicy;
  /** Attempts that failed so far, 1 or more. Those of unknown outcome do not count. */
  readonly failures: number;
  /** Milliseconds since the callback was accepted. */
  readonly ageMs: number;
  /** Milliseconds until the callback expires, when it does. */
  readonly expiresInMs: number | undefined;
  /** What the receiver asked for, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;
  /** In [0, 1). */
  readonly random: number;
}

export type RetryAnswer =
  | { readonly kind: 'retry'; readonly delayNs: bigint }
  | { readonly kind: 'give-up'; readonly ending: 'failed' | 'expired' };

/** Whether and when the next attempt is due. The later of the policy and Retry-After counts. */
export function nextAttempt(question: RetryQuestion): RetryAnswer {
  const { policy, failures, retryAfterMs, expiresInMs, ageMs, random } = question;
  const delayNs =
    policy.kind === 'phases'
      ? phaseDelay(policy.phases, failures)
      : exponentialDelay(policy, failures, random);
  if (delayNs === undefined) return { kind: 'give-up', ending: 'failed' };
  const asked = BigInt(Math.ceil(Math.min(retryAfterMs ?? 0, maxRetryAfterMs))) * nsPerMs;
  const due = asked > delayNs ? asked : delayNs;
  const dueMs = Number(due / nsPerMs);
  if (expiresInMs !== undefined && dueMs >= expiresInMs) {
    return { kind: 'give-up', ending: 'expired' };
  }
  const maxAgeMs = policy.kind === 'exponential' ? policy.maxAgeMs : undefined;
  if (maxAgeMs !== undefined && ageMs + dueMs > maxAgeMs) {
    return { kind: 'give-up', ending: 'failed' };
  }
  return { kind: 'retry', delayNs: due };
}

function phaseDelay(phases: readonly RetryPhase[], failures: number): bigint | undefined {
  let left = failures;
  for (const phase of phases) {
    if (left <= phase.retries) return phase.delayNs;
    left -= phase.retries;
  }
  return undefined;
}

function exponentialDelay(
  policy: ExponentialPolicy,
  failures: number,
  random: number,
): bigint | undefined {
  if (failures > policy.maxRetries) return undefined;
  const full = Math.min(policy.maxDelayMs, policy.initialDelayMs * policy.factor ** (failures - 1));
  const waitMs = full * (1 - policy.jitter * random);
  return BigInt(Math.round(waitMs * 1_000)) * 1_000n;
}

/** A policy as it is stored: bigints as decimal text, because JSON numbers are not exact. */
export function toStoredPolicy(policy: RetryPolicy): unknown {
  if (policy.kind === 'exponential') return policy;
  const phases = policy.phases.map(({ retries, delayNs }) => [retries, delayNs.toString()]);
  return { kind: 'phases', phases };
}

/** The inverse of {@link toStoredPolicy}. @throws PlatformError `INTERNAL` */
export function fromStoredPolicy(stored: unknown): RetryPolicy {
  const policy = stored as ExponentialPolicy | { kind: 'phases'; phases: [number, string][] };
  switch (policy.kind) {
    case 'exponential':
      return policy;
    case 'phases':
      if (policy.phases.length === 0) return singleAttempt;
      return {
        kind: 'phases',
        phases: policy.phases.map(([retries, delay]) => ({ retries, delayNs: BigInt(delay) })),
      };
    default:
      throw new PlatformError('INTERNAL', `stored retry policy of unknown kind`);
  }
}

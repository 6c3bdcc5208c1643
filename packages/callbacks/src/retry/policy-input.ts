import { msToNs, nsToMs } from '@posthaste/contracts';
import { type FieldFault, requestInvalid } from '../field-faults.js';
import { attemptFaults, policyFaults } from './policy-faults.js';
import { defaultEndpointPolicy, type ExponentialPolicy, type RetryPolicy } from './retry-policy.js';

/** Retry policy as callers write it, in JSON. */
export type PolicyInput = PhasesInput | ExponentialInput;

/** Phases that run one after another. */
export interface PhasesInput {
  readonly phases: readonly PhaseInput[];
}

/** Retries with the same delay before each of them. */
export interface PhaseInput {
  /** Attempts of this phase. The first attempt of a callback belongs to none. */
  readonly retries: number;
  /** Milliseconds, with at most six digits after the point; exact, never jittered. */
  readonly delayMs: number;
}

/** Delays that grow by a factor. The defaults are the policy of endpoints without one. */
export interface ExponentialInput {
  readonly exponential: {
    /** First delay, in ms. Default 5,000. */
    readonly initialDelayMs?: number | undefined;
    /** Ratio of each delay to the one before, 1 to 100. Default 3. */
    readonly factor?: number | undefined;
    /** Longest delay, in ms. Default 14,400,000 (4 hours). */
    readonly maxDelayMs?: number | undefined;
    /** Attempts after the first. Default 10. */
    readonly maxRetries?: number | undefined;
    /** Share of each delay that is random, 0 to 1. Default 0.2. */
    readonly jitter?: number | undefined;
    /**
     * No attempt starts later than this after the callback was accepted, in ms. Default: no limit.
     */
    readonly maxAgeMs?: number | undefined;
  };
}

/**
 * Converts and checks a policy.
 * @param maxAttempts most attempts that it may ask for. Default 10,000
 * @throws PlatformError `REQUEST_INVALID`, with the faults as `details`
 */
export function toRetryPolicy(input: PolicyInput, maxAttempts?: number): RetryPolicy {
  const policy = 'phases' in input ? fromPhases(input) : fromExponential(input.exponential);
  const faults = [...policyFaults(policy), ...attemptFaults(policy, maxAttempts)];
  if (faults.length > 0) throw requestInvalid(faults);
  return policy;
}

/** Converts a policy to the form in which callers write it. */
export function toPolicyInput(policy: RetryPolicy): PolicyInput {
  if (policy.kind === 'exponential') {
    const { kind: _, maxAgeMs, ...exponential } = policy;
    return { exponential: maxAgeMs === undefined ? exponential : { ...exponential, maxAgeMs } };
  }
  return {
    phases: policy.phases.map(({ retries, delayNs }) => ({ retries, delayMs: nsToMs(delayNs) })),
  };
}

function fromPhases({ phases }: PhasesInput): RetryPolicy {
  const faults: FieldFault[] = [];
  const converted = phases.map(({ retries, delayMs }, i) => {
    const delayNs = toNanoseconds(delayMs);
    if (delayNs === undefined) {
      const message = 'is not a number of milliseconds with at most six digits after the point';
      faults.push({ field: `phases[${i}].delayMs`, message });
    }
    return { retries, delayNs: delayNs ?? 0n };
  });
  if (faults.length > 0) throw requestInvalid(faults);
  return { kind: 'phases', phases: converted };
}

function toNanoseconds(ms: number): bigint | undefined {
  try {
    return msToNs(ms);
  } catch {
    return undefined;
  }
}

function fromExponential(given: ExponentialInput['exponential'] | undefined): ExponentialPolicy {
  if (!given)
    throw requestInvalid([{ field: 'policy', message: 'has neither phases nor exponential' }]);
  const defaults = defaultEndpointPolicy;
  return {
    kind: 'exponential',
    initialDelayMs: given.initialDelayMs ?? defaults.initialDelayMs,
    factor: given.factor ?? defaults.factor,
    maxDelayMs: given.maxDelayMs ?? defaults.maxDelayMs,
    maxRetries: given.maxRetries ?? defaults.maxRetries,
    jitter: given.jitter ?? defaults.jitter,
    maxAgeMs: given.maxAgeMs ?? defaults.maxAgeMs,
  };
}

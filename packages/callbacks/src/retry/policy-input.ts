import { msToNs, nsToMs } from '@posthaste/contracts';
import { type FieldFault, requestInvalid } from '../field-faults.js';
import { policyFaults } from './policy-faults.js';
import { defaultEndpointPolicy, type ExponentialPolicy, type RetryPolicy } from './retry-policy.js';

/** A retry policy as callers write it, in JSON. */
export type PolicyInput = PhasesInput | ExponentialInput;

/** Phases run one after another, each with its delay before every one of its attempts. */
export interface PhasesInput {
  readonly phases: readonly PhaseInput[];
}

export interface PhaseInput {
  /** Attempts after the first. */
  readonly retries: number;
  /** Exact and never jittered; six digits after the point count. */
  readonly delayMs: number;
}

/** Each wait is a multiple of the one before. What is left out is as for endpoints without a policy. */
export interface ExponentialInput {
  readonly exponential: {
    /** The first wait. Default 5,000. */
    readonly initialDelayMs?: number | undefined;
    /** 1 to 100. Default 3. */
    readonly factor?: number | undefined;
    /** The longest wait. Default 4 hours. */
    readonly maxDelayMs?: number | undefined;
    /** Attempts after the first. Default 10. */
    readonly maxRetries?: number | undefined;
    /** Share of each wait that is random, 0 to 1. Default 0.2. */
    readonly jitter?: number | undefined;
    /** No attempt starts later than this after the callback was accepted. Default: no limit. */
    readonly maxAgeMs?: number | undefined;
  };
}

/** @throws PlatformError `REQUEST_INVALID`, with the faults as `details` */
export function toRetryPolicy(input: PolicyInput): RetryPolicy {
  const policy = 'phases' in input ? fromPhases(input) : fromExponential(input.exponential);
  const faults = policyFaults(policy);
  if (faults.length > 0) throw requestInvalid(faults);
  return policy;
}

/** The inverse of {@link toRetryPolicy}. */
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
  if (!given) throw requestInvalid([{ field: 'policy', message: 'has no phases or exponential' }]);
  const standard = defaultEndpointPolicy;
  return {
    kind: 'exponential',
    initialDelayMs: given.initialDelayMs ?? standard.initialDelayMs,
    factor: given.factor ?? standard.factor,
    maxDelayMs: given.maxDelayMs ?? standard.maxDelayMs,
    maxRetries: given.maxRetries ?? standard.maxRetries,
    jitter: given.jitter ?? standard.jitter,
    maxAgeMs: given.maxAgeMs ?? standard.maxAgeMs,
  };
}

import type { FieldFault } from '../field-faults.js';
import type { RetryPolicy } from './retry-policy.js';

const maxPhases = 100;
const maxRetries = 100_000;
const maxFactor = 100;
/** Ten years: limit of a single delay and of the maximum age, in ms. */
const maxDelayMs = 10 * 365 * 24 * 3_600_000;

/** Most attempts that a policy may ask for, unless the installation has another limit. */
const defaultMaxAttempts = 10_000;

/**
 * Returns a fault if the policy asks for more attempts than the limit. Each value of it may be in
 * its range nevertheless: 100 phases of 100,000 retries would keep a worker busy for ever.
 */
export function attemptFaults(
  policy: RetryPolicy,
  maxAttempts: number = defaultMaxAttempts,
): FieldFault[] {
  const attempts = 1 + countRetries(policy);
  if (!(attempts > maxAttempts)) return [];
  const field = policy.kind === 'phases' ? 'retryPhases' : 'policy.maxRetries';
  const asked = `asks for ${attempts.toLocaleString('en')} attempts in all`;
  const message = `${asked}, and the limit (POSTHASTE_MAX_ATTEMPTS) is ${maxAttempts.toLocaleString('en')}`;
  return [{ field, message }];
}

function countRetries(policy: RetryPolicy): number {
  if (policy.kind === 'exponential') return policy.maxRetries;
  return policy.phases.reduce((sum, { retries }) => sum + retries, 0);
}

/** Returns a fault for each value of a policy that is out of range. */
export function policyFaults(policy: RetryPolicy): FieldFault[] {
  const faults: FieldFault[] = [];
  const check = (field: string, ok: boolean, message: string): void => {
    if (!ok) faults.push({ field, message });
  };
  if (policy.kind === 'phases') {
    check('retryPhases', policy.phases.length <= maxPhases, `has more than ${maxPhases} phases`);
    policy.phases.forEach(({ retries, delayNs }, i) => {
      const valid = Number.isInteger(retries) && retries >= 0 && retries <= maxRetries;
      check(`retryPhases[${i}].retries`, valid, `must be 0 to ${maxRetries}`);
      check(`retryPhases[${i}].delay`, delayNs >= 0n && delayNs < 2n ** 63n, 'is out of range');
    });
    return faults;
  }
  const checkRange = (field: string, value: number, [min, max]: [number, number]): void =>
    check(`policy.${field}`, value >= min && value <= max, `must be ${min} to ${max}`);
  checkRange('initialDelayMs', policy.initialDelayMs, [1, maxDelayMs]);
  checkRange('factor', policy.factor, [1, maxFactor]);
  checkRange('maxDelayMs', policy.maxDelayMs, [policy.initialDelayMs, maxDelayMs]);
  checkRange('maxRetries', policy.maxRetries, [0, maxRetries]);
  check('policy.maxRetries', Number.isInteger(policy.maxRetries), 'must be a whole number');
  checkRange('jitter', policy.jitter, [0, 1]);
  if (policy.maxAgeMs !== undefined) checkRange('maxAgeMs', policy.maxAgeMs, [1, maxDelayMs]);
  return faults;
}

import type { FieldFault } from '../field-faults.js';
import type { RetryPolicy } from './retry-policy.js';

const maxPhases = 100;
const maxRetries = 100_000;
const maxDelayMs = 10 * 365 * 24 * 3_600_000;
const maxAgeMs = 10 * 365 * 24 * 3_600_000;

/** What is out of range in a policy. */
export function policyFaults(policy: RetryPolicy): FieldFault[] {
  const faults: FieldFault[] = [];
  const check = (field: string, ok: boolean, message: string): void => {
    if (!ok) faults.push({ field, message });
  };
  if (policy.kind === 'phases') {
    check('retryPhases', policy.phases.length <= maxPhases, `has more than ${maxPhases} phases`);
    policy.phases.forEach(({ retries, delayNs }, i) => {
      const whole = Number.isInteger(retries) && retries >= 0 && retries <= maxRetries;
      check(`retryPhases[${i}].retries`, whole, `must be 0 to ${maxRetries}`);
      check(`retryPhases[${i}].delay`, delayNs >= 0n && delayNs < 2n ** 63n, 'is out of range');
    });
    return faults;
  }
  const within = (field: string, value: number, low: number, high: number): void =>
    check(`policy.${field}`, value >= low && value <= high, `must be ${low} to ${high}`);
  within('initialDelayMs', policy.initialDelayMs, 1, maxDelayMs);
  within('factor', policy.factor, 1, 100);
  within('maxDelayMs', policy.maxDelayMs, policy.initialDelayMs, maxDelayMs);
  within('maxRetries', policy.maxRetries, 0, maxRetries);
  check('policy.maxRetries', Number.isInteger(policy.maxRetries), 'must be a whole number');
  within('jitter', policy.jitter, 0, 1);
  if (policy.maxAgeMs !== undefined) within('maxAgeMs', policy.maxAgeMs, 1, maxAgeMs);
  return faults;
}

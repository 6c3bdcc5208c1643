import { seededRandom } from '../seeded-random.js';
import type { Step } from './receiver-script.js';

/** Rates of faults of a receiver, each from 0 to 1, together at most 1. All other requests succeed. */
export interface MisbehaviourRates {
  /** Responds with 503. */
  readonly fail: number;
  /** Never responds. */
  readonly hang: number;
  /** Resets the connection instead of a response. */
  readonly reset: number;
  /** Responds with success, but late. */
  readonly slow: number;
}

/** Rates of a receiver without faults. */
export const goodBehaviour: MisbehaviourRates = { fail: 0, hang: 0, reset: 0, slow: 0 };

const slowMs = 200;

/** Decision about one request. */
export interface Decision {
  readonly step: Step;
  readonly accepted: boolean;
}

/** Creates random decisions, the same for the same seed. The rates are read for each of them. */
export function createMisbehaviour(seed: number, rates: () => MisbehaviourRates): () => Decision {
  const random = seededRandom(seed);
  return () => {
    const { fail, hang, reset, slow } = rates();
    const draw = random();
    if (draw < fail) return { step: 503, accepted: false };
    if (draw < fail + hang) return { step: { kind: 'hang' }, accepted: false };
    if (draw < fail + hang + reset) return { step: { kind: 'reset' }, accepted: false };
    if (draw < fail + hang + reset + slow) {
      return { step: { kind: 'respond', delayMs: slowMs }, accepted: true };
    }
    return { step: 200, accepted: true };
  };
}

/** Parses rates from JSON; missing ones are 0. @throws Error if they are not numbers from 0 to 1 */
export function parseRates(text: string): MisbehaviourRates {
  const given: Record<string, unknown> = JSON.parse(text);
  const rate = (name: keyof MisbehaviourRates): number => {
    const value = given[name] ?? 0;
    if (typeof value === 'number' && value >= 0 && value <= 1) return value;
    throw new Error(`rate "${name}" must be a number from 0 to 1, not ${value}`);
  };
  return { fail: rate('fail'), hang: rate('hang'), reset: rate('reset'), slow: rate('slow') };
}

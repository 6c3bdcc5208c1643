import { seededRandom } from '../seeded-random.js';
import type { Step } from './receiver-script.js';

/** How often a receiver does what, each from 0 to 1; together at most 1. What is left succeeds. */
export interface MisbehaviourRates {
  /** Answers 503. */
  readonly fail: number;
  /** Never answers. */
  readonly hang: number;
  /** Resets the connection instead of an answer. */
  readonly reset: number;
  /** Answers with success, but late. */
  readonly slow: number;
}

/** A receiver that does nothing wrong. */
export const goodBehaviour: MisbehaviourRates = { fail: 0, hang: 0, reset: 0, slow: 0 };

const slowMs = 200;

export interface Decision {
  readonly step: Step;
  readonly accepted: boolean;
}

/** Decides at random, the same for the same seed; the rates are asked each time. */
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

/** Reads rates from JSON; what is left out is 0. @throws Error when they are not rates */
export function parseRates(text: string): MisbehaviourRates {
  const given: Record<string, unknown> = JSON.parse(text);
  const rate = (name: keyof MisbehaviourRates): number => {
    const value = given[name] ?? 0;
    if (typeof value === 'number' && value >= 0 && value <= 1) return value;
    throw new Error(`rate "${name}" is ${value}, not a number from 0 to 1`);
  };
  return { fail: rate('fail'), hang: rate('hang'), reset: rate('reset'), slow: rate('slow') };
}

/** What the receiver of the demo does to requests, each as a share from 0 to 1; the rest succeeds. */
export interface Weather {
  /** Answers 503. */
  readonly fail: number;
  /** Never answers. */
  readonly hang: number;
  /** Resets the connection instead of an answer. */
  readonly reset: number;
  /** Answers with success, but late. */
  readonly slow: number;
}

/** What a request meets; `ok` and `slow` are successes. */
export type Fate = 'ok' | 'slow' | 'fail' | 'hang' | 'reset';

/** As receivers are on a bad day. */
export const unsteady: Weather = {
  fail: 0.1,
  hang: 0.02,
  reset: 0.04,
  slow: 0.1,
};

/** Nothing gets through. */
export const outage: Weather = { fail: 0.5, hang: 0.2, reset: 0.3, slow: 0 };

/** As receivers mostly are. */
export const recovered: Weather = { fail: 0.02, hang: 0, reset: 0, slow: 0.05 };

/** The fate of one request; `draw` is in [0, 1). */
export function fateOf({ fail, hang, reset, slow }: Weather, draw: number): Fate {
  if (draw < fail) return 'fail';
  if (draw < fail + hang) return 'hang';
  if (draw < fail + hang + reset) return 'reset';
  return draw < fail + hang + reset + slow ? 'slow' : 'ok';
}

/** Whether the receiver has taken what met this. */
export function isAccepted(fate: Fate): boolean {
  return fate === 'ok' || fate === 'slow';
}

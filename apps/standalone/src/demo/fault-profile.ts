/** Faults of the demo's receiver, each as a share of requests from 0 to 1; the rest succeeds. */
export interface FaultProfile {
  /** Answers 503. */
  readonly fail: number;
  /** Never answers. */
  readonly hang: number;
  /** Resets the connection instead of answering. */
  readonly reset: number;
  /** Answers with success, but late. */
  readonly slow: number;
}

/** Fault of one request; `ok` is none, and `slow` still succeeds. */
export type Fault = 'ok' | 'slow' | 'fail' | 'hang' | 'reset';

/** Profile of a receiver on a bad day. */
export const unsteady: FaultProfile = {
  fail: 0.1,
  hang: 0.02,
  reset: 0.04,
  slow: 0.1,
};

/** Profile of an outage: no request succeeds. */
export const outage: FaultProfile = { fail: 0.5, hang: 0.2, reset: 0.3, slow: 0 };

/** Profile of a receiver on most days. */
export const recovered: FaultProfile = { fail: 0.02, hang: 0, reset: 0, slow: 0.05 };

/** Returns the fault of one request; `draw` is a random number in [0, 1). */
export function drawFault({ fail, hang, reset, slow }: FaultProfile, draw: number): Fault {
  if (draw < fail) return 'fail';
  if (draw < fail + hang) return 'hang';
  if (draw < fail + hang + reset) return 'reset';
  return draw < fail + hang + reset + slow ? 'slow' : 'ok';
}

/** True if the receiver answers with success. */
export function isAccepted(fault: Fault): boolean {
  return fault === 'ok' || fault === 'slow';
}

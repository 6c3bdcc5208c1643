/** Bounds of the wait between two attempts at the same thing. */
export interface Backoff {
  /** Upper bound of the first wait, in ms. */
  readonly initialMs: number;
  /** Upper bound of every later wait, in ms. */
  readonly maxMs: number;
}

/**
 * Returns the wait in ms after `failed` (1 or more) failed attempts. The upper bound doubles with
 * each failure. Half of the wait is fixed and half is random, so that callers that failed together do
 * not try again together. All parts of the platform use this backoff, except the retry policies of
 * callbacks: their delays are chosen by the caller and computed by `@posthaste/callbacks`.
 *
 * @param random number in [0, 1)
 */
export function backoffMs(failed: number, { initialMs, maxMs }: Backoff, random: number): number {
  const upperBoundMs = Math.min(maxMs, initialMs * 2 ** (failed - 1));
  return (upperBoundMs / 2) * (1 + random);
}

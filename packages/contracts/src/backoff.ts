/** How long to wait between tries of the same thing. */
export interface Backoff {
  /** Ceiling of the first wait, in ms. */
  readonly initialMs: number;
  /** Ceiling of every later wait, in ms. */
  readonly maxMs: number;
}

/**
 * Returns the wait in ms after `failed` (1 or more) failed tries: the ceiling doubles with each of
 * them, and half of it is fixed, half random, so that callers that failed together do not return
 * together. This is the one backoff of the platform; the delays of a callback's retry policy are
 * its caller's choice, and computed by `@posthaste/callbacks`.
 *
 * @param random in [0, 1)
 */
export function backoffMs(failed: number, { initialMs, maxMs }: Backoff, random: number): number {
  const ceiling = Math.min(maxMs, initialMs * 2 ** (failed - 1));
  return (ceiling / 2) * (1 + random);
}

import { PlatformError } from '@posthaste/contracts';

/** What happens to a record whose callback fails. Every field has a default. */
export interface RetryOptions {
  /**
   * Times that a record is handed to the callback before it moves on, the first one included; 1 or
   * more. `Infinity`: it never moves on, and its partition (or key) waits. Default 5.
   */
  readonly maxAttempts?: number | undefined;
  /** Wait after the first failure, in milliseconds; doubles with each. Default 200. */
  readonly initialMs?: number | undefined;
  /** Longest wait, in milliseconds. Default 10,000. */
  readonly maxMs?: number | undefined;
  /**
   * Delays of the retry topics, in milliseconds, one topic each: a record that used up its attempts
   * goes to the first, from there to the next, and from the last one to the dead letters. Default
   * none: it goes to the dead letters at once.
   */
  readonly delaysMs?: readonly number[] | undefined;
  /** Whether trying again can help; a record for which it cannot moves on. Default: it always can. */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined;
}

export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly initialMs: number;
  readonly maxMs: number;
  readonly delaysMs: readonly number[];
  readonly isRetryable: (error: unknown) => boolean;
}

/** Longest time of a timer. */
export const maxTimerMs: number = 2 ** 31 - 1;

/** The only place that knows the defaults. @throws PlatformError `OPTION_INVALID` */
export function resolveRetry(options: RetryOptions = {}): RetryPolicy {
  const {
    maxAttempts = 5,
    initialMs = 200,
    maxMs = 10_000,
    delaysMs = [],
    isRetryable = () => true,
  } = options;
  if (!(maxAttempts >= 1 && (Number.isInteger(maxAttempts) || maxAttempts === Infinity))) {
    throw new PlatformError('OPTION_INVALID', `retry.maxAttempts of ${maxAttempts}`);
  }
  if (!(initialMs >= 0 && maxMs >= initialMs && maxMs <= maxTimerMs)) {
    throw new PlatformError('OPTION_INVALID', `retry from ${initialMs} to ${maxMs} ms`);
  }
  if (delaysMs.some((delayMs) => !(delayMs >= 0 && delayMs <= maxTimerMs))) {
    throw new PlatformError('OPTION_INVALID', `retry.delaysMs of ${delaysMs.join(', ')}`);
  }
  return { maxAttempts, initialMs, maxMs, delaysMs, isRetryable };
}

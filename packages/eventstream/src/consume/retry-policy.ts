import { type Backoff, backoffMs, PlatformError } from '@posthaste/contracts';

/** Retries of a record whose handler fails. Every field has a default. */
export interface RetryOptions {
  /**
   * Number of calls for a record before it moves to another topic, the first one included; 1 or
   * more. `Infinity`: it never moves, and its partition (or key) waits. Default: as many as are
   * needed for the waits between them to take at least 5 minutes, which is 28; with retry topics, 5.
   */
  readonly maxAttempts?: number | undefined;
  /** Wait after the first failure, in ms; doubles with each failure. Default 200. */
  readonly initialMs?: number | undefined;
  /** Longest wait, in ms. Default 30,000. */
  readonly maxMs?: number | undefined;
  /**
   * Delays of the retry topics, in ms, one topic each. A record that used up its calls goes to the
   * first topic, from there to the next one, and from the last one to the dead letters. Default: no
   * retry topics, it goes to the dead letters at once.
   */
  readonly delaysMs?: readonly number[] | undefined;
  /**
   * True if another call can help. If not, the record goes to the dead letters. Default: always.
   */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined;
}

/** Retry options with the defaults filled in. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly initialMs: number;
  readonly maxMs: number;
  readonly delaysMs: readonly number[];
  readonly isRetryable: (error: unknown) => boolean;
}

/** Longest time that a timer can wait. */
export const maxTimerMs: number = 2 ** 31 - 1;

/** Shortest time in which a record is called again by default, in ms: a database may be away. */
const minRetryMs = 300_000;
const attemptsBeforeRetryTopics = 5;

/** Fills in the defaults, which only this file knows. @throws PlatformError `OPTION_INVALID` */
export function resolveRetry(options: RetryOptions = {}): RetryPolicy {
  const { initialMs = 200, maxMs = 30_000, delaysMs = [], isRetryable = () => true } = options;
  const { maxAttempts = delaysMs.length > 0 ? attemptsBeforeRetryTopics : undefined } = options;
  if (maxAttempts !== undefined && !isCount(maxAttempts)) {
    throw new PlatformError(
      'OPTION_INVALID',
      `retry.maxAttempts is ${maxAttempts}; use a whole number of 1 or more`,
    );
  }
  if (!(initialMs >= 0 && maxMs >= initialMs && maxMs <= maxTimerMs)) {
    const message = `retry waits from ${initialMs} to ${maxMs} ms; use 0 up to ${maxTimerMs}`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  if (delaysMs.some((delayMs) => !(delayMs >= 0 && delayMs <= maxTimerMs))) {
    const message = `retry.delaysMs is ${delaysMs.join(', ')}; use numbers from 0 to ${maxTimerMs}`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  const attempts = maxAttempts ?? countAttempts({ initialMs, maxMs });
  return { maxAttempts: attempts, initialMs, maxMs, delaysMs, isRetryable };
}

function isCount(value: number): boolean {
  return value >= 1 && (Number.isInteger(value) || value === Infinity);
}

/** Returns the number of calls between which the shortest waits take `minRetryMs` at least. */
function countAttempts({ initialMs, maxMs }: Backoff): number {
  let attempts = 1;
  for (let totalMs = 0; totalMs < minRetryMs; attempts += 1) {
    // Without any wait there would be no end.
    totalMs += Math.max(backoffMs(attempts, { initialMs, maxMs }, 0), 1);
  }
  return attempts;
}

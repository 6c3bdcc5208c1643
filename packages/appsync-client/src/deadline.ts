import { AppSyncError, toEnded } from './appsync-error.js';
import type { Clock } from './clock.js';

/** Limits of an operation: its time, and the signal of its caller. */
export interface Deadline {
  readonly clock: Clock;
  /** Longest time, in ms. Default: none. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Name of the operation, for the message of the error. */
  readonly what: string;
}

/**
 * Runs an operation, and rejects when its time is over or its caller aborts it, whatever it waits for.
 * The operation gets a signal, and checks it before each step that cannot be undone.
 * @throws AppSyncError `timed_out`, `context_ended`, and errors of the operation
 */
export async function withDeadline<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  { clock, timeoutMs, signal, what }: Deadline,
): Promise<Result> {
  if (signal?.aborted) throw toEnded(signal);
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(toEnded(signal));
  const timer =
    timeoutMs !== undefined &&
    clock.setTimeout(() => {
      controller.abort(new AppSyncError('timed_out', `${what} took longer than ${timeoutMs} ms`));
    }, timeoutMs);
  signal?.addEventListener('abort', onAbort);
  const givenUp = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason));
  });
  try {
    return await Promise.race([givenUp, work(controller.signal)]);
  } finally {
    if (timer !== false) clock.clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

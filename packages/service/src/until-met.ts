import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type { Logger } from 'pino';

/** Options of `untilMet`. */
export interface WaitOptions {
  /** Ends the wait at once; `untilMet` then throws the signal's reason. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Pause between two tries, in ms. Default 1,000. */
  readonly retryMs?: number;
  /** Time between two lines about the same reason, in ms. Default 60,000. */
  readonly repeatMs?: number;
}

/**
 * Tries `condition` again and again until it resolves: a process may start before the servers that
 * it needs. Logs the reason to wait whenever it changes, and once a minute.
 * @throws PlatformError when waiting cannot help; the signal's reason when it is aborted
 */
export async function untilMet(
  condition: () => Promise<void>,
  { signal, logger, retryMs = 1_000, repeatMs = 60_000 }: WaitOptions,
): Promise<void> {
  let logged = { code: '', at: 0 };
  for (;;) {
    const failure = await tryCondition(condition, signal);
    if (failure === undefined) return;
    const { code, message } = failure;
    const now = performance.now();
    if (code !== logged.code || now - logged.at >= repeatMs) {
      logger.warn({ code }, `waiting, and trying again: ${message}`);
      logged = { code, at: now };
    }
    await sleep(retryMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/**
 * Returns the retryable error of one try, or `undefined` when the condition is met. Throws any other
 * error. A try that hangs ends with the signal.
 */
async function tryCondition(
  condition: () => Promise<void>,
  signal: AbortSignal,
): Promise<PlatformError | undefined> {
  const stopped = Promise.withResolvers<never>();
  const onAbort = (): void => stopped.reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    signal.throwIfAborted();
    await Promise.race([condition(), stopped.promise]);
    return undefined;
  } catch (error) {
    if (error instanceof PlatformError && error.retryable && !signal.aborted) return error;
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type { Logger } from 'pino';

export interface WaitOptions {
  /** Ends the wait at once: `untilMet` throws its reason. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Between two tries, in ms. Default 1,000. */
  readonly retryMs?: number;
}

/**
 * Resolves when `condition` does, which is tried until then: a process may start before what it
 * needs. Each reason to wait is logged once, when it begins.
 * @throws PlatformError what a wait does not change; the reason of the signal
 */
export async function untilMet(
  condition: () => Promise<void>,
  { signal, logger, retryMs = 1_000 }: WaitOptions,
): Promise<void> {
  let told: string | undefined;
  for (;;) {
    const failure = await failureOf(condition, signal);
    if (failure === undefined) return;
    const { code, message } = failure;
    if (code !== told) logger.warn({ code }, `waiting, and trying again: ${message}`);
    told = code;
    await sleep(retryMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Why it is to be waited for. A try that hangs does not outlive the signal. */
async function failureOf(
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

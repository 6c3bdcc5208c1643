import { PlatformError } from '@posthaste/contracts';

/**
 * What a failed try means. A driver that throws something else than it should has perhaps written
 * all the same: the outcome is unknown.
 */
export function toWriteFailure(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError('EVENT_OUTCOME_UNKNOWN', 'the stream failed', { cause: error });
}

/** Whether another try can succeed. A topic that is missing may be made meanwhile. */
export function isWorthRetrying({ code, retryable }: PlatformError): boolean {
  if (code === 'STREAM_CLOSED') return false;
  return retryable || code === 'TOPIC_NOT_FOUND';
}

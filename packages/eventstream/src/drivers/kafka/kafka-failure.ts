import { type ErrorCode, PlatformError } from '@posthaste/contracts';

/** What is looked at in a kafkajs error: its class by `name`, the protocol's error by `type`. */
interface KafkaFailure {
  readonly name?: string;
  readonly type?: string;
  readonly code?: unknown;
  readonly cause?: unknown;
}

/** Errors of the protocol, and classes of kafkajs, that mean one of ours. */
const codes: Readonly<Record<string, ErrorCode>> = {
  MESSAGE_TOO_LARGE: 'EVENT_TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'EVENT_TOO_LARGE',
  INVALID_RECORD: 'EVENT_INVALID',
  INVALID_TIMESTAMP: 'EVENT_INVALID',
  INVALID_TOPIC_EXCEPTION: 'EVENT_INVALID',
  UNKNOWN_TOPIC_OR_PARTITION: 'TOPIC_NOT_FOUND',
  TOPIC_AUTHORIZATION_FAILED: 'STREAM_UNAUTHORIZED',
  GROUP_AUTHORIZATION_FAILED: 'STREAM_UNAUTHORIZED',
  CLUSTER_AUTHORIZATION_FAILED: 'STREAM_UNAUTHORIZED',
  SASL_AUTHENTICATION_FAILED: 'STREAM_UNAUTHORIZED',
  UNSUPPORTED_SASL_MECHANISM: 'STREAM_UNAUTHORIZED',
  KafkaJSSASLAuthenticationError: 'STREAM_UNAUTHORIZED',
  UNKNOWN_MEMBER_ID: 'STREAM_ASSIGNMENT_LOST',
  ILLEGAL_GENERATION: 'STREAM_ASSIGNMENT_LOST',
  REBALANCE_IN_PROGRESS: 'STREAM_ASSIGNMENT_LOST',
  FENCED_INSTANCE_ID: 'STREAM_ASSIGNMENT_LOST',
};

/** The brokers may have written it: they said so late, or not at all. */
const ambiguous: ReadonlySet<string> = new Set([
  'KafkaJSRequestTimeoutError',
  'KafkaJSConnectionClosedError',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
]);

/** System errors of a connection that was open, so that a request may have gone through it. */
const brokenConnections: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

/** Failures that are of what was asked for, not of the connection it was asked over. */
const notOfTheConnection: ReadonlySet<ErrorCode> = new Set([
  'EVENT_TOO_LARGE',
  'EVENT_INVALID',
  'STREAM_ASSIGNMENT_LOST',
]);

/** Translates what kafkajs throws. `action` is what failed, for people. */
export function toPlatformError(error: unknown, action: string): PlatformError {
  if (error instanceof PlatformError) return error;
  for (const failure of causesOf(error)) {
    const code = codes[failure.type ?? ''] ?? codes[failure.name ?? ''];
    if (code !== undefined) return failed(code, error, action);
  }
  return failed('STREAM_UNAVAILABLE', error, action);
}

/** The same for a request to append: tells whether the records may have been written. */
export function toAppendError(error: unknown, action: string): PlatformError {
  const isAmbiguous = causesOf(error).some(
    ({ name, type, code }) =>
      ambiguous.has(type ?? '') || ambiguous.has(name ?? '') || brokenConnections.has(code),
  );
  if (isAmbiguous) return failed('EVENT_OUTCOME_UNKNOWN', error, action);
  return toPlatformError(error, action);
}

/** Whether new connections, and new metadata, may help. */
export function isWorthReconnecting({ code }: PlatformError): boolean {
  return !notOfTheConnection.has(code);
}

function failed(code: ErrorCode, cause: unknown, action: string): PlatformError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PlatformError(code, `cannot ${action}: ${reason}`, { cause });
}

/** The error and what caused it, outermost first. */
function causesOf(error: unknown): KafkaFailure[] {
  const failures: KafkaFailure[] = [];
  let current: unknown = error;
  while (typeof current === 'object' && current !== null && failures.length < 10) {
    const failure: KafkaFailure = current;
    failures.push(failure);
    current = failure.cause;
  }
  return failures;
}

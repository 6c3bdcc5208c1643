import { type ErrorCode, PlatformError } from '@posthaste/contracts';

/** Codes of ours by the names of protocol errors, and of error classes of the client libraries. */
const codes: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ['MESSAGE_TOO_LARGE', 'EVENT_TOO_LARGE'],
  ['RECORD_LIST_TOO_LARGE', 'EVENT_TOO_LARGE'],
  ['INVALID_RECORD', 'EVENT_INVALID'],
  ['INVALID_TIMESTAMP', 'EVENT_INVALID'],
  ['INVALID_TOPIC_EXCEPTION', 'EVENT_INVALID'],
  ['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_NOT_FOUND'],
  ['TOPIC_AUTHORIZATION_FAILED', 'STREAM_UNAUTHORIZED'],
  ['GROUP_AUTHORIZATION_FAILED', 'STREAM_UNAUTHORIZED'],
  ['CLUSTER_AUTHORIZATION_FAILED', 'STREAM_UNAUTHORIZED'],
  ['SASL_AUTHENTICATION_FAILED', 'STREAM_UNAUTHORIZED'],
  ['UNSUPPORTED_SASL_MECHANISM', 'STREAM_UNAUTHORIZED'],
  ['KafkaJSSASLAuthenticationError', 'STREAM_UNAUTHORIZED'],
  ['PLT_KFK_AUTHENTICATION', 'STREAM_UNAUTHORIZED'],
  ['UNKNOWN_MEMBER_ID', 'STREAM_ASSIGNMENT_LOST'],
  ['ILLEGAL_GENERATION', 'STREAM_ASSIGNMENT_LOST'],
  ['FENCED_INSTANCE_ID', 'STREAM_ASSIGNMENT_LOST'],
  ['REBALANCE_IN_PROGRESS', 'STREAM_ASSIGNMENT_LOST'],
]);

/** Errors that mean that the group has gone on without this member. */
const fencingErrors = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'];

/**
 * Errors that a leader returns before it writes anything. Every other failure of a request that was
 * sent is ambiguous, also one that sounds like a refusal: a leader that is stopped or replaced
 * while records wait for its followers answers NOT_LEADER_OR_FOLLOWER, and the next leader may have
 * the records.
 */
const errorsBeforeWriting = [
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'CORRUPT_MESSAGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_REQUIRED_ACKS',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNSUPPORTED_VERSION',
  'NOT_ENOUGH_REPLICAS',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  // If it comes after writing, the topic was deleted, and the records with it.
  'UNKNOWN_TOPIC_OR_PARTITION',
];

/** Codes of failures that lie in the request, and that another connection would not change. */
const requestFailures: ReadonlySet<ErrorCode> = new Set([
  'EVENT_TOO_LARGE',
  'EVENT_INVALID',
  'STREAM_ASSIGNMENT_LOST',
]);

/**
 * Translates an error of a client library.
 * @param action that failed, for the message: "append to a/0"
 */
export function toPlatformError(error: unknown, action: string): PlatformError {
  if (error instanceof PlatformError) return error;
  for (const name of namesOf(error)) {
    const code = codes.get(name);
    if (code !== undefined) return createError(code, error, action);
  }
  return createError('STREAM_UNAVAILABLE', error, action);
}

/**
 * Translates an error of a request to append that was sent: to `EVENT_OUTCOME_UNKNOWN` unless the
 * leader has certainly not written the records.
 */
export function toAppendError(error: unknown, action: string): PlatformError {
  if (error instanceof PlatformError) return error;
  const names = namesOf(error);
  if (errorsBeforeWriting.some((name) => names.has(name))) return toPlatformError(error, action);
  return createError('EVENT_OUTCOME_UNKNOWN', error, action);
}

/** True if the coordinator refused a request because the group has gone on without the member. */
export function isFenced(error: unknown): boolean {
  const names = namesOf(error);
  return fencingErrors.some((name) => names.has(name));
}

/** True if new connections and new metadata can help. */
export function isWorthReconnecting({ code }: PlatformError): boolean {
  return !requestFailures.has(code);
}

function createError(code: ErrorCode, cause: unknown, action: string): PlatformError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PlatformError(code, `cannot ${action}: ${reason}`, { cause });
}

/** Members in which kafkajs (`type`) and @platformatic/kafka (`apiId`) name a protocol error. */
interface LibraryError {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly apiId?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** Returns the names of an error, of its cause, and so on; the most specific first. */
function namesOf(error: unknown): Set<string> {
  const names = new Set<string>();
  const seen = new Set<unknown>();
  const pending = [error];
  for (const current of pending) {
    if (typeof current !== 'object' || current === null || seen.has(current)) continue;
    seen.add(current);
    const { name, type, apiId, code, cause, errors }: LibraryError = current;
    for (const each of [type, apiId, name, code]) {
      if (typeof each === 'string') names.add(each);
    }
    pending.push(cause, ...(Array.isArray(errors) ? errors : []));
  }
  return names;
}

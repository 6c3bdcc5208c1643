import { type ErrorCode, PlatformError } from '@posthaste/contracts';

/** Errors of the protocol, and classes of the client libraries, that mean one of ours. */
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

/** The group has gone on without the member. */
const expulsions = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'];

/**
 * What a leader refuses before it writes anything. Whatever else follows a request that was sent is
 * ambiguous, also what sounds like a refusal: a leader that is stopped or replaced while records wait
 * for its followers answers NOT_LEADER_OR_FOLLOWER, and its successor may have them all the same.
 */
const refusals = [
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
  // When it comes after writing, the topic was deleted, and the records with it.
  'UNKNOWN_TOPIC_OR_PARTITION',
];

/** Failures that are of what was asked for, not of the connection it was asked over. */
const notOfTheConnection: ReadonlySet<ErrorCode> = new Set([
  'EVENT_TOO_LARGE',
  'EVENT_INVALID',
  'STREAM_ASSIGNMENT_LOST',
]);

/** Translates what a client library throws. `action` is what failed, for people. */
export function toPlatformError(error: unknown, action: string): PlatformError {
  if (error instanceof PlatformError) return error;
  for (const label of labelsOf(error)) {
    const code = codes.get(label);
    if (code !== undefined) return failed(code, error, action);
  }
  return failed('STREAM_UNAVAILABLE', error, action);
}

/**
 * The same for a request to append that was sent: `EVENT_OUTCOME_UNKNOWN` unless the leader has
 * certainly not written it.
 */
export function toAppendError(error: unknown, action: string): PlatformError {
  if (error instanceof PlatformError) return error;
  const labels = labelsOf(error);
  if (refusals.some((name) => labels.has(name))) return toPlatformError(error, action);
  return failed('EVENT_OUTCOME_UNKNOWN', error, action);
}

/** Whether a member of a group was told that it is none any more. */
export function isFenced(error: unknown): boolean {
  const labels = labelsOf(error);
  return expulsions.some((name) => labels.has(name));
}

/** Whether new connections, and new metadata, may help. */
export function isWorthReconnecting({ code }: PlatformError): boolean {
  return !notOfTheConnection.has(code);
}

function failed(code: ErrorCode, cause: unknown, action: string): PlatformError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PlatformError(code, `cannot ${action}: ${reason}`, { cause });
}

/** Where the libraries tell what an error is: kafkajs in `type`, @platformatic/kafka in `apiId`. */
interface LibraryError {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly apiId?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** Everything that tells what the error is, and what caused it, and so on. */
function labelsOf(error: unknown): Set<string> {
  const labels = new Set<string>();
  const seen = new Set<unknown>();
  const pending = [error];
  for (const current of pending) {
    if (typeof current !== 'object' || current === null || seen.has(current)) continue;
    seen.add(current);
    const { name, type, apiId, code, cause, errors }: LibraryError = current;
    for (const label of [type, apiId, name, code]) {
      if (typeof label === 'string') labels.add(label);
    }
    pending.push(cause, ...(Array.isArray(errors) ? errors : []));
  }
  return labels;
}

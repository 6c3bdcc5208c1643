/** What kind of failure it is. Decides the HTTP status and whether a retry can help. */
export type ErrorType =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'too_large'
  | 'rate_limited'
  | 'unavailable'
  | 'timeout'
  | 'internal';

/** One entry of the registry: its type, what it means, and what to do about it. */
export interface ErrorCodeEntry {
  readonly type: ErrorType;
  /** One line for people: what happened, and what to do. */
  readonly meaning: string;
  /** The HTTP status, where HTTP has one for exactly this. Default: that of the type. */
  readonly status?: number;
}

/** The one table from error type to HTTP status. */
export const httpStatusOf: Readonly<Record<ErrorType, number>> = {
  invalid: 422,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  rate_limited: 429,
  unavailable: 503,
  timeout: 504,
  internal: 500,
};

/** Types after which the same call can succeed later, unchanged. */
const retryableTypes: ReadonlySet<ErrorType> = new Set(['rate_limited', 'unavailable', 'timeout']);

/** Whether a call that failed with this type of error can succeed later, unchanged. */
export function isRetryable(type: ErrorType): boolean {
  return retryableTypes.has(type);
}

/**
 * Every code with its type. A released code never changes its meaning. docs/errors.md is
 * generated from here: run `npm run docs` after a change.
 */
export const errorCodes = {
  REQUEST_INVALID: {
    type: 'invalid',
    meaning: 'The request is not what the route takes. `details` names each field; correct it.',
  },
  REQUEST_TOO_LARGE: {
    type: 'too_large',
    meaning: 'The request is over the size limit. Send less in one call.',
  },
  REQUEST_TIMEOUT: {
    type: 'timeout',
    status: 408,
    meaning:
      'The request did not arrive completely in time. Send it again over a better connection.',
  },
  REQUEST_MALFORMED: {
    type: 'invalid',
    status: 400,
    meaning: 'The bytes that arrived are not an HTTP request. Correct the client.',
  },
  HEADERS_TOO_LARGE: {
    type: 'too_large',
    status: 431,
    meaning: 'The headers of the request are over the size limit. Send fewer or shorter ones.',
  },
  MEDIA_TYPE_UNSUPPORTED: {
    type: 'invalid',
    status: 415,
    meaning: 'The route does not take this Content-Type. Send `application/json`.',
  },
  ROUTE_NOT_FOUND: {
    type: 'not_found',
    meaning: 'There is no such route. /docs lists them all.',
  },
  HOST_NOT_ALLOWED: {
    type: 'forbidden',
    meaning:
      'The Host header is not one this server answers to. Add it to POSTHASTE_ALLOWED_HOSTS.',
  },
  ORIGIN_NOT_ALLOWED: {
    type: 'forbidden',
    meaning:
      'The request comes from a web page of another origin. Add the origin to POSTHASTE_CORS_ORIGINS.',
  },
  KEY_MISSING: {
    type: 'unauthorized',
    meaning: 'The route needs an API key. Send it as `Authorization: Bearer <key>`.',
  },
  KEY_INVALID: {
    type: 'unauthorized',
    meaning:
      'The API key is unknown, revoked or expired. Create a new one with `posthaste keys create`.',
  },
  SCOPE_MISSING: {
    type: 'forbidden',
    meaning: 'The API key lacks the scope of this route. Use a key that has it.',
  },
  KEY_NOT_FOUND: { type: 'not_found', meaning: 'There is no API key with this id.' },
  RATE_LIMITED: {
    type: 'rate_limited',
    meaning: 'Too many requests. Wait as long as Retry-After says.',
  },
  OVERLOADED: {
    type: 'unavailable',
    meaning: 'The server is too busy to take this now. Try again after a moment.',
  },
  STOPPING: {
    type: 'unavailable',
    meaning:
      'The server is stopping. Try again: another one, or this one after its restart, answers.',
  },
  LISTEN_FAILED: {
    type: 'unavailable',
    meaning:
      'The server cannot listen on its address: another process has the port, or the address is not of this machine. The message says which.',
  },
  CONFIG_INVALID: {
    type: 'invalid',
    meaning: 'The configuration is wrong. Every fault is listed; correct them and start again.',
  },
  OPTION_INVALID: {
    type: 'invalid',
    meaning: 'An option given to a library is out of its range. The message names it.',
  },
  ID_INVALID: { type: 'invalid', meaning: 'The value is not an id of the expected form.' },
  DURATION_INVALID: {
    type: 'invalid',
    meaning: 'The value is not a whole number of nanoseconds that fits 64 bits.',
  },
  ENVELOPE_INVALID: {
    type: 'invalid',
    meaning: 'The value is not an event envelope. The message names the field.',
  },
  GATEWAY_UNREACHABLE: {
    type: 'unavailable',
    meaning:
      'The gateway that a command talks to does not answer. Start it, or correct POSTHASTE_URL.',
  },
  DATABASE_UNAVAILABLE: {
    type: 'unavailable',
    meaning: 'The database cannot be reached. Nothing was stored; try again.',
  },
  DATABASE_OUTCOME_UNKNOWN: {
    type: 'unavailable',
    meaning:
      'The database went away while committing. It may or may not be stored; repeat with the same Idempotency-Key.',
  },
  DATABASE_FULL: {
    type: 'unavailable',
    meaning: 'The database has no space or connections left. Free some; callers may try again.',
  },
  DATABASE_READ_ONLY: {
    type: 'unavailable',
    meaning: 'The database takes no writes now (a standby or a failover). Try again.',
  },
  DATABASE_CONFLICT: {
    type: 'unavailable',
    meaning: 'The transaction collided with another one. Try again.',
  },
  DATABASE_TIMEOUT: {
    type: 'timeout',
    meaning: 'The database did not answer in time. Try again.',
  },
  DATABASE_IN_USE: {
    type: 'unavailable',
    meaning: 'Another process uses the data folder. Stop it, or choose another POSTHASTE_DATA_DIR.',
  },
  DATABASE_FOLDER_INVALID: {
    type: 'invalid',
    meaning: 'The data folder cannot be made, or is none. Choose another POSTHASTE_DATA_DIR.',
  },
  DATABASE_ERROR: {
    type: 'internal',
    meaning: 'The database refused a statement. This is a defect; the cause is in the log.',
  },
  MIGRATION_MISMATCH: {
    type: 'internal',
    meaning: 'The database was migrated by another or newer release. Run the release that fits it.',
  },
  MIGRATION_PENDING: {
    type: 'unavailable',
    meaning: 'The database lacks migrations of this release. Run `posthaste migrate`.',
  },
  ADDRESS_BLOCKED: {
    type: 'forbidden',
    meaning:
      'The address is inside the network or otherwise denied. Use a public one, or allow its network.',
  },
  CALLBACK_NOT_FOUND: {
    type: 'not_found',
    meaning: 'There is no callback with this id, or it is past its retention.',
  },
  CALLBACK_INVALID: {
    type: 'invalid',
    meaning: 'The callback request is wrong. `details` names each field; correct it.',
  },
  CALLBACK_STATE: {
    type: 'conflict',
    meaning: 'The callback is not in a state that allows this. Its status says which it is in.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    type: 'conflict',
    meaning: 'The Idempotency-Key was used for another body. Use a new key for a new request.',
  },
  POLICY_NOT_FOUND: { type: 'not_found', meaning: 'There is no retry policy with this name.' },
  POLICY_IN_USE: {
    type: 'conflict',
    meaning: 'Endpoints use this retry policy. Give them another one first.',
  },
  SECRET_NOT_FOUND: { type: 'not_found', meaning: 'There is no signing secret with this name.' },
  SECRET_INVALID: {
    type: 'invalid',
    meaning:
      'The secret is not of its form: `whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an ed25519 key.',
  },
  SECRET_EXISTS: {
    type: 'conflict',
    meaning: 'A secret with this name exists. Rotate it, or choose another name.',
  },
  SECRET_UNREADABLE: {
    type: 'internal',
    meaning:
      'A stored secret cannot be opened with the configured master keys. Add the key it was sealed with.',
  },
  QUEUE_NOT_FOUND: { type: 'not_found', meaning: 'There is no such queue.' },
  QUEUE_STATE: {
    type: 'conflict',
    meaning: 'The queue is not in a state that allows this.',
  },
  ENDPOINT_NOT_FOUND: { type: 'not_found', meaning: 'There is no endpoint with this id.' },
  ENDPOINT_EXISTS: {
    type: 'conflict',
    meaning: 'The application has an endpoint with this name. Choose another name.',
  },
  ENDPOINT_STATE: {
    type: 'conflict',
    meaning: 'The endpoint is not in a state that allows this.',
  },
  SUBSCRIPTION_NOT_FOUND: { type: 'not_found', meaning: 'There is no subscription with this id.' },
  REPLAY_NOT_FOUND: { type: 'not_found', meaning: 'There is no replay with this id.' },
  EVENT_INVALID: {
    type: 'invalid',
    meaning: 'The event or the subscription is not valid. `details` names the field; correct it.',
  },
  EVENT_ID_REUSED: {
    type: 'conflict',
    meaning:
      'Another event was published under this id in this topic and namespace (source of a CloudEvent). Give a new event an id of its own.',
  },
  EVENT_TOO_LARGE: {
    type: 'too_large',
    meaning: 'The event is over the size that the stream takes. Put less into it.',
  },
  EVENT_OUTCOME_UNKNOWN: {
    type: 'timeout',
    meaning:
      'The stream gave no answer in time: the event may have been stored or not. Publish it again with the same id.',
  },
  EVENT_NOT_PUBLISHED: {
    type: 'unavailable',
    meaning: 'The event could not be stored before its publish timeout. Publish it again later.',
  },
  EVENT_ALREADY_REGISTERED: {
    type: 'conflict',
    meaning: 'This topic, event and group already have a callback with other options.',
  },
  STREAM_UNSUPPORTED: {
    type: 'invalid',
    meaning: 'There is no such stream. Use kafka, postgres, memory, stdout or none.',
  },
  STREAM_UNAVAILABLE: {
    type: 'unavailable',
    meaning: 'The event stream does not answer. It is tried again; check that it runs.',
  },
  STREAM_UNAUTHORIZED: {
    type: 'unauthorized',
    meaning: 'The event stream refuses the credentials. Correct them.',
  },
  STREAM_ASSIGNMENT_LOST: {
    type: 'conflict',
    meaning: 'The partition belongs to another consumer by now, which reads its events again.',
  },
  STREAM_CLOSED: {
    type: 'unavailable',
    meaning: 'The client was closed. Make a new one.',
  },
  TOPIC_NOT_FOUND: { type: 'not_found', meaning: 'There is no such topic.' },
  TOPIC_LIMIT_REACHED: {
    type: 'conflict',
    meaning:
      'The topic is new, and there are as many as there may be. Publish to one that there is, or raise POSTHASTE_MAX_TOPICS.',
  },
  INTERNAL: {
    type: 'internal',
    meaning: 'Something failed that should not have. The request id leads to the log.',
  },
} as const;

/** A stable, readable name of one failure. */
export type ErrorCode = keyof typeof errorCodes;

/** The same registry, seen without its literals: an entry of another shape does not compile. */
const registry: Readonly<Record<ErrorCode, ErrorCodeEntry>> = errorCodes;

export interface PlatformErrorOptions extends ErrorOptions {
  /** Facts for programs, such as the fields that are wrong. Reaches callers: never a secret. */
  readonly details?: unknown;
}

/** Thrown by every package: callers branch on `code`, people read `message`. */
export class PlatformError extends Error {
  readonly code: ErrorCode;
  readonly type: ErrorType;
  /** Facts for programs; `undefined` when there are none. */
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, options: PlatformErrorOptions = {}) {
    super(message, options);
    this.name = 'PlatformError';
    this.code = code;
    this.type = registry[code].type;
    this.details = options.details;
  }

  /** Whether the same call can succeed later, unchanged. */
  get retryable(): boolean {
    return isRetryable(this.type);
  }

  /** The status of an HTTP answer that carries this error. */
  get httpStatus(): number {
    return registry[this.code].status ?? httpStatusOf[this.type];
  }
}

/** RFC 9457 problem details, with the code. Media type: `application/problem+json`. */
export interface ProblemDetails {
  /** `urn:posthaste:error:<code>`: names the kind of problem, is not there to be fetched. */
  readonly type: string;
  /** The code's meaning, the same for every occurrence. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** This occurrence. */
  readonly detail: string;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** The request's id, to find it in the log. */
  readonly instance?: string;
  readonly details?: unknown;
}

/** The HTTP body of an error. A failure of type `internal` tells nothing of its inside. */
export function toProblemDetails(error: PlatformError, instance?: string): ProblemDetails {
  return {
    type: `urn:posthaste:error:${error.code}`,
    title: registry[error.code].meaning,
    status: error.httpStatus,
    detail: error.type === 'internal' ? 'internal error' : error.message,
    code: error.code,
    retryable: error.retryable,
    ...(instance === undefined ? {} : { instance }),
    ...(error.details === undefined || error.type === 'internal' ? {} : { details: error.details }),
  };
}

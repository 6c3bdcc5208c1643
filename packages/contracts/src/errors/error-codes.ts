import type { ErrorType } from './error-types.js';

/** One entry of the catalogue of error codes. */
export interface ErrorCodeEntry {
  readonly type: ErrorType;
  /** Description for people in one line: what happened, and what to do. */
  readonly meaning: string;
  /** HTTP status, if HTTP has one for exactly this failure. Default: the status of the type. */
  readonly status?: number;
}

/**
 * Every error code with its type and meaning. A released code never changes what it means.
 * docs/errors.md is generated from this catalogue: run `npm run docs` after a change.
 */
export const errorCodes = {
  REQUEST_INVALID: {
    type: 'invalid',
    meaning:
      'The request does not match the schema of the route. Correct the fields that `details` lists.',
  },
  REQUEST_TOO_LARGE: {
    type: 'too_large',
    meaning: 'The request is larger than the size limit. Send less in one call.',
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
    meaning: 'The bytes that arrived are not a valid HTTP request. Correct the client.',
  },
  HEADERS_TOO_LARGE: {
    type: 'too_large',
    status: 431,
    meaning:
      'The headers of the request are larger than the size limit. Send fewer or shorter ones.',
  },
  MEDIA_TYPE_UNSUPPORTED: {
    type: 'invalid',
    status: 415,
    meaning:
      'The route does not accept this Content-Type, Content-Encoding or byte order mark. Send `application/json`, as plain UTF-8.',
  },
  ROUTE_NOT_FOUND: {
    type: 'not_found',
    meaning: 'There is no such route. `/docs` lists all routes.',
  },
  HOST_NOT_ALLOWED: {
    type: 'forbidden',
    meaning:
      'The Host header is not one that this server serves. Add it to POSTHASTE_ALLOWED_HOSTS.',
  },
  LOOP_DETECTED: {
    type: 'forbidden',
    status: 508,
    meaning:
      'Deliveries of the platform call the platform itself, too many in a chain or to send again. Deliver elsewhere, or raise POSTHASTE_MAX_HOPS.',
  },
  ORIGIN_NOT_ALLOWED: {
    type: 'forbidden',
    meaning:
      'The request comes from a web page of another origin. Add the origin to POSTHASTE_CORS_ORIGINS.',
  },
  ORIGIN_KEY_FORBIDDEN: {
    type: 'forbidden',
    meaning:
      'A web page of another origin sent an API key that may do more than use realtime channels. Visitors could read it: use a short-lived token there.',
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
    meaning: 'The API key lacks the scope of this route. Use a key that has the scope.',
  },
  PRECONDITION_FAILED: {
    type: 'conflict',
    status: 412,
    meaning:
      'Somebody else has changed it since it was read. Get it again, and repeat the change with its new ETag.',
  },
  APPLICATION_FORBIDDEN: {
    type: 'forbidden',
    meaning: 'The caller may not use this application. Name one of its own, or none.',
  },
  APPLICATION_REQUIRED: {
    type: 'invalid',
    meaning: 'The caller has several applications. Name the one that the request is about.',
  },
  APPLICATION_SCOPE_MISSING: {
    type: 'forbidden',
    meaning: 'The route is only for callers for all applications. Use a key for all.',
  },
  APPLICATION_NOT_FOUND: {
    type: 'not_found',
    meaning: 'There is no application with this name. Check the name.',
  },
  APPLICATION_EXISTS: {
    type: 'conflict',
    meaning: 'An application with this name exists already. Change it, or choose another name.',
  },
  APPLICATION_DELETING: {
    type: 'conflict',
    meaning: 'The application is being deleted, with everything it has. Use another one.',
  },
  KEY_EXCEEDS_CREATOR: {
    type: 'forbidden',
    meaning:
      'The new key could do more than the caller: more scopes or applications, or for longer. Ask for less, or use a key that may do more.',
  },
  SESSION_INVALID: {
    type: 'unauthorized',
    meaning: 'The session is unknown, revoked, expired or was idle for too long. Sign in again.',
  },
  SESSION_NOT_FOUND: { type: 'not_found', meaning: 'There is no session with this id.' },
  TOKEN_INVALID: {
    type: 'unauthorized',
    meaning:
      'The short-lived token is forged or expired, or the key or session that made it has ended. Get a new token.',
  },
  TOKEN_NOT_FOUND: { type: 'not_found', meaning: 'The caller has no token with this id.' },
  TOKEN_REVOCATIONS_EXHAUSTED: {
    type: 'conflict',
    meaning:
      'Too many tokens of this key or session are revoked one by one. Revoke the key, or end the session.',
  },
  TOKEN_PARENT_INVALID: {
    type: 'forbidden',
    meaning:
      'A short-lived token makes no tokens and no sessions. Use the key or the session that made it.',
  },
  COOKIE_NOT_ALLOWED: {
    type: 'forbidden',
    meaning:
      "A session cookie is accepted from the platform's own pages only. Programs send an API key or a token.",
  },
  SIGN_IN_UNAVAILABLE: {
    type: 'not_found',
    meaning:
      'Nobody can sign in on this server in this way. Set POSTHASTE_PUBLIC_URL, and POSTHASTE_OIDC_ISSUER for people.',
  },
  SIGN_IN_FAILED: {
    type: 'unauthorized',
    meaning:
      'The sign-in is refused: it took too long, was used already, or the identity provider did not confirm it. Start again.',
  },
  SIGN_IN_FORBIDDEN: {
    type: 'forbidden',
    meaning: 'The person has no role on this platform. POSTHASTE_OIDC_ROLES says who has which.',
  },
  IDENTITY_PROVIDER_UNAVAILABLE: {
    type: 'unavailable',
    meaning: 'The identity provider does not answer as it should. Try again in a moment.',
  },
  ERASURE_NOT_FOUND: { type: 'not_found', meaning: 'There is no erasure with this id.' },
  LIMIT_REACHED: {
    type: 'rate_limited',
    meaning:
      'The application has reached a limit. `details` says which; wait as long as the Retry-After header says, or ask for a higher limit.',
  },
  KEY_NOT_FOUND: { type: 'not_found', meaning: 'There is no API key with this id.' },
  RATE_LIMITED: {
    type: 'rate_limited',
    meaning: 'Too many requests. Wait as long as the Retry-After header says.',
  },
  OVERLOADED: {
    type: 'unavailable',
    meaning: 'The server is too busy to accept the request now. Try again in a moment.',
  },
  STOPPING: {
    type: 'unavailable',
    meaning:
      'The server is stopping. Try again: another server, or this one after its restart, will respond.',
  },
  LISTEN_FAILED: {
    type: 'unavailable',
    meaning:
      'The server cannot listen on its address: another process uses the port, or this machine lacks the address. The message says which.',
  },
  CONFIG_INVALID: {
    type: 'invalid',
    meaning:
      'The configuration is invalid. The message lists every fault; correct them and start again.',
  },
  OPTION_INVALID: {
    type: 'invalid',
    meaning: 'An option of a library is out of range. The message names the option.',
  },
  ID_INVALID: { type: 'invalid', meaning: 'The value is not an id of the expected form.' },
  DURATION_INVALID: {
    type: 'invalid',
    meaning: 'The value is not a whole number of nanoseconds within 64 bits. Correct the value.',
  },
  ENVELOPE_INVALID: {
    type: 'invalid',
    meaning: 'The value is not a valid event envelope. The message names the field.',
  },
  GATEWAY_UNREACHABLE: {
    type: 'unavailable',
    meaning:
      'The gateway that the command calls does not respond. Start it, or correct POSTHASTE_URL.',
  },
  DATABASE_UNAVAILABLE: {
    type: 'unavailable',
    meaning: 'The database cannot be reached. Nothing was stored; try again.',
  },
  DATABASE_OUTCOME_UNKNOWN: {
    type: 'unavailable',
    meaning:
      'The connection to the database was lost during the commit, so the change may be stored or not. Repeat with the same Idempotency-Key.',
  },
  DATABASE_FULL: {
    type: 'unavailable',
    meaning:
      'The database has no space or connections left. Free some of them; callers can try again.',
  },
  DATABASE_READ_ONLY: {
    type: 'unavailable',
    meaning: 'The database accepts no writes now (it is a standby, or fails over). Try again.',
  },
  DATABASE_CONFLICT: {
    type: 'unavailable',
    meaning: 'The transaction conflicted with another one. Try again.',
  },
  DATABASE_TIMEOUT: {
    type: 'timeout',
    meaning: 'The database did not respond in time. Try again.',
  },
  DATABASE_IN_USE: {
    type: 'unavailable',
    meaning: 'Another process uses the data folder. Stop it, or choose another POSTHASTE_DATA_DIR.',
  },
  DATABASE_FOLDER_INVALID: {
    type: 'invalid',
    meaning:
      'The data folder cannot be created, or is not a folder. Choose another POSTHASTE_DATA_DIR.',
  },
  DATABASE_UNSUITABLE: {
    type: 'internal',
    meaning:
      'The database cannot be used as it is set up, such as with another encoding than UTF8. The message says what to do.',
  },
  DATABASE_ERROR: {
    type: 'internal',
    meaning:
      'The database rejected a statement. This is a defect of Posthaste; the cause is in the log.',
  },
  MIGRATION_MISMATCH: {
    type: 'internal',
    meaning:
      'The database was migrated by another or newer release. Run the release that matches it.',
  },
  MIGRATION_PENDING: {
    type: 'unavailable',
    meaning: 'The database lacks migrations of this release. Run `posthaste migrate`.',
  },
  ADDRESS_BLOCKED: {
    type: 'forbidden',
    meaning:
      'The address is not public, so requests to it are denied. Use a public one, or allow its network.',
  },
  CALLBACK_NOT_FOUND: {
    type: 'not_found',
    meaning: 'There is no callback with this id, or its retention has passed.',
  },
  CALLBACK_INVALID: {
    type: 'invalid',
    meaning: 'The callback request is invalid. Correct the fields that `details` lists.',
  },
  CALLBACK_STATE: {
    type: 'conflict',
    meaning: 'The callback is in a state that does not allow this. Its status names the state.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    type: 'conflict',
    meaning: 'The Idempotency-Key was used with another body. Use a new key for a new request.',
  },
  POLICY_NOT_FOUND: { type: 'not_found', meaning: 'There is no retry policy with this name.' },
  POLICY_IN_USE: {
    type: 'conflict',
    meaning: 'Endpoints use this retry policy. Assign another policy to them first.',
  },
  SECRET_NOT_FOUND: { type: 'not_found', meaning: 'There is no signing secret with this name.' },
  SECRET_INVALID: {
    type: 'invalid',
    meaning:
      'The secret has the wrong form. Use `whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an ed25519 key.',
  },
  SECRET_EXISTS: {
    type: 'conflict',
    meaning: 'A secret with this name exists already. Rotate it, or choose another name.',
  },
  SECRET_UNREADABLE: {
    type: 'internal',
    meaning:
      'A stored secret cannot be decrypted with the configured master keys. Add the key that it was encrypted with.',
  },
  QUEUE_NOT_FOUND: {
    type: 'not_found',
    meaning: 'There is no such queue. Sending a callback to a queue creates it.',
  },
  QUEUE_STATE: {
    type: 'conflict',
    meaning: 'The queue is in a state that does not allow this. The message names the state.',
  },
  MAIL_RECIPIENT_NOT_FOUND: {
    type: 'not_found',
    meaning: 'There is no mail recipient with this id.',
  },
  MAIL_RECIPIENT_REFUSED: {
    type: 'conflict',
    meaning: 'The person has refused mails of the application. Name another address.',
  },
  ENDPOINT_NOT_FOUND: { type: 'not_found', meaning: 'There is no endpoint with this id.' },
  ENDPOINT_EXISTS: {
    type: 'conflict',
    meaning: 'The application has an endpoint with this name already. Choose another name.',
  },
  ENDPOINT_STATE: {
    type: 'conflict',
    meaning: 'The endpoint is in a state that does not allow this. The message names the state.',
  },
  SUBSCRIPTION_NOT_FOUND: { type: 'not_found', meaning: 'There is no subscription with this id.' },
  FILTER_TOO_COSTLY: {
    type: 'too_large',
    meaning:
      'The filter needs too much work for the event, which was not delivered. Use a smaller filter or event, or raise POSTHASTE_FILTER_MAX_WORK.',
  },
  FILTER_TIMEOUT: {
    type: 'timeout',
    meaning:
      'The filter took too long for the event, which was not delivered. Use a smaller filter or event, or raise POSTHASTE_FILTER_TIMEOUT.',
  },
  FILTER_OVER_BUDGET: {
    type: 'rate_limited',
    meaning:
      'Large filters of the application have used up their time; the event was not delivered. Use smaller ones, or raise POSTHASTE_FILTER_BUDGET.',
  },
  FILTER_FAILED: {
    type: 'internal',
    meaning:
      'The filter failed for the event, which was not delivered, for example for lack of memory. Use a smaller filter or event.',
  },
  REPLAY_LIMIT_REACHED: {
    type: 'rate_limited',
    meaning:
      'The application has as many running replays as it may have. Wait until one ends, or cancel one, or raise POSTHASTE_MAX_REPLAYS.',
  },
  REPLAY_NOT_FOUND: { type: 'not_found', meaning: 'There is no replay with this id.' },
  EVENT_INVALID: {
    type: 'invalid',
    meaning: 'The event or the subscription is invalid. Correct the field that `details` names.',
  },
  EVENT_ID_REUSED: {
    type: 'conflict',
    meaning:
      'Another event with this id was published to this topic and namespace (source of a CloudEvent). Use a new id for a new event.',
  },
  EVENT_TOO_LARGE: {
    type: 'too_large',
    meaning: 'The event is larger than the size limit of the stream. Make it smaller.',
  },
  EVENT_OUTCOME_UNKNOWN: {
    type: 'timeout',
    meaning:
      'The stream did not respond in time, so the event may be stored or not. Publish it again with the same id.',
  },
  EVENT_NOT_PUBLISHED: {
    type: 'unavailable',
    meaning: 'The event could not be stored before its publish timeout. Publish it again later.',
  },
  EVENT_ALREADY_REGISTERED: {
    type: 'conflict',
    meaning:
      'This topic, event and group have a callback with other options already. Use the same options.',
  },
  STREAM_UNSUPPORTED: {
    type: 'invalid',
    meaning: 'There is no such stream. Use `kafka`, `postgres`, `memory`, `stdout` or `none`.',
  },
  STREAM_UNAVAILABLE: {
    type: 'unavailable',
    meaning:
      'The event stream does not respond. The client tries again; check that the stream runs.',
  },
  STREAM_UNAUTHORIZED: {
    type: 'unauthorized',
    meaning: 'The event stream rejects the credentials. Correct them.',
  },
  STREAM_ASSIGNMENT_LOST: {
    type: 'conflict',
    meaning: 'The partition is now assigned to another consumer, which reads its events again.',
  },
  STREAM_CLOSED: {
    type: 'unavailable',
    meaning: 'The client was closed. Create a new one.',
  },
  TOPIC_NOT_FOUND: { type: 'not_found', meaning: 'There is no such topic. Check its name.' },
  TOPIC_LIMIT_REACHED: {
    type: 'conflict',
    meaning:
      'The topic is new, and the limit of topics is reached. Publish to an existing topic, or raise POSTHASTE_MAX_TOPICS.',
  },
  CHANNEL_FORBIDDEN: {
    type: 'forbidden',
    meaning:
      'The credential may not use the realtime channel. Name another, or use a key that has it.',
  },
  REALTIME_REFUSED: {
    type: 'forbidden',
    meaning:
      'A realtime server refused an operation. `errorType` says why, in the terms of AppSync Events.',
  },
  NAMESPACE_NOT_FOUND: {
    type: 'not_found',
    meaning: 'There is no such namespace of realtime channels. Check its name and application.',
  },
  NAMESPACE_EXISTS: {
    type: 'conflict',
    meaning: 'The application has a namespace of this name already. Change that one.',
  },
  NAMESPACE_LIMIT_REACHED: {
    type: 'conflict',
    meaning: 'The application has as many namespaces as it may have. Remove one that is not used.',
  },
  NAMESPACE_CONFIGURED: {
    type: 'conflict',
    meaning:
      'The namespace is defined in the file of POSTHASTE_REALTIME_CONFIG. Change it there, in every gateway.',
  },
  APPSYNC_CHANNEL_NOT_SUBSCRIBED: {
    type: 'not_found',
    meaning: 'The client has no subscription to the channel. Subscribe first.',
  },
  APPSYNC_CONNECTION_CLOSED: {
    type: 'unavailable',
    meaning: 'The connection to the realtime server is closed. Connect again.',
  },
  APPSYNC_CONTEXT_ENDED: {
    type: 'unavailable',
    meaning: 'The caller has aborted the operation by its signal.',
  },
  APPSYNC_ID_DOES_NOT_EXIST: {
    type: 'not_found',
    meaning: 'The realtime server answered an operation that is unknown.',
  },
  APPSYNC_ID_EXISTS: {
    type: 'conflict',
    meaning: 'The id of an operation is in use on the connection. Use another.',
  },
  APPSYNC_MARSHAL_FAILED: {
    type: 'invalid',
    meaning: 'A value cannot be written as JSON, or a frame not be sent. Correct the value.',
  },
  APPSYNC_RECEIVE_FAILED: {
    type: 'unavailable',
    meaning: 'The realtime server could not be reached, or its answer not be read. Try again.',
  },
  APPSYNC_SERVER_ERROR: {
    type: 'forbidden',
    meaning: 'The realtime server refused the operation. `details` has its errors.',
  },
  APPSYNC_SUBSCRIPTION_CALLED: {
    type: 'conflict',
    meaning: 'The channel is subscribed to already, and the subscription was to be the only one.',
  },
  APPSYNC_TIMED_OUT: {
    type: 'timeout',
    meaning: 'The realtime server did not answer in time. Try again.',
  },
  APPSYNC_TYPE_ASSERTION: {
    type: 'invalid',
    meaning: 'An event does not fit the validator of its channel. Correct it.',
  },
  APPSYNC_UNSUBSCRIPTION_CALLED: {
    type: 'conflict',
    meaning: 'The subscription was ended before.',
  },
  APPSYNC_UNSUPPORTED_MESSAGE_FORMAT: {
    type: 'invalid',
    meaning: 'A frame has a form that the client does not know.',
  },
  INTERNAL: {
    type: 'internal',
    meaning: 'Something failed that should not have. Search the log for the request id.',
  },
} as const;

/** Stable, readable name of one failure. */
export type ErrorCode = keyof typeof errorCodes;

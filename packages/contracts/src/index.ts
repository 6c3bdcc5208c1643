export {
  type ApplicationRules,
  noApplicationRules,
  parseApplicationRules,
} from './application-rules.js';
export {
  type Applications,
  applicationHeader,
  coversApplications,
  includesApplication,
  isApplicationName,
  onlyApplication,
  toApplicationColumn,
} from './applications.js';
export { type Backoff, backoffMs } from './backoff.js';
export {
  type CallbackEventName,
  callbackEventNames,
  callbackEventTopic,
} from './callback-event-names.js';
export {
  type ChannelPath,
  channelPatternSource,
  includesChannel,
  parseChannel,
  /** @public */
  toChannelSegment,
} from './channel-path.js';
export {
  type BinaryCloudEvent,
  fromBinaryCloudEvent,
  isCloudEventContentType,
  isJsonContentType,
  toBinaryCloudEvent,
} from './cloudevents/binary-mode.js';
export {
  type CloudEvent,
  eventDataOf,
  eventTypeOf,
  fromCloudEvent,
  sourceOf,
  toCloudEvent,
} from './cloudevents/cloudevents.js';
export {
  eventNamePattern,
  isEventName,
  /** @public */ toEventName,
} from './cloudevents/event-name.js';
export { fromHttpHeaders, type HttpHeaders, toHttpHeaders } from './cloudevents/http-headers.js';
export { msToNs, nsToMs, parseDuration } from './durations.js';
export {
  createEnvelope,
  type EnvelopeInput,
  type EnvelopeKey,
  type EventEnvelope,
  envelopeKeys,
  type Int64,
  type JsonObject,
  type JsonValue,
} from './envelope.js';
export {
  createIdentifierTest,
  type ErasingProgress,
  type ErasingStep,
  type ErasureSelection,
  isJsonPointer,
  type PersonIdentifier,
} from './erasing.js';
export { type ErrorCode, type ErrorCodeEntry, errorCodes } from './errors/error-codes.js';
export { type ErrorType, httpStatusOf, isRetryable } from './errors/error-types.js';
export {
  PlatformError,
  type PlatformErrorOptions,
  type ProblemDetails,
  toProblemDetails,
} from './errors/errors.js';
export {
  type EventPattern,
  eventPatternFault,
  matchesEventName,
  toEventNameRegExp,
  toEventPattern,
} from './event-name-pattern.js';
export {
  hasInfiniteNumber,
  hasRewrittenNumber,
  isInt64,
  JsonNumber,
  parseExactJson,
  parseJsonWithBigints,
  parseJsonWithDigits,
  type RawJson,
  stringifyExactJson,
  toJsonInteger,
} from './exact-json.js';
export { ExpiringCache } from './expiring-cache.js';
export { hopsHeader, parseHops } from './hops.js';
export {
  type IdempotencyClaim,
  idempotencyKeyReused,
  isIdempotencyKey,
  toItemClaim,
} from './idempotency.js';
export { createIdSource, idLowerBound, idTime, newId, parseId, toCompactId } from './ids.js';
export { findJsonMember, jsonItems } from './json-text.js';
export { isJsonObject, parseEnvelope } from './parse-envelope.js';
export {
  internalTopics,
  isPlatformTopic,
  platformTopicOf,
  platformTopics,
  reservedNameFault,
  reservedTopicFault,
} from './platform-events.js';
export {
  exactKeywords,
  hasExactNumber,
  toSchemaValue,
} from './schema-numbers.js';
export { Semaphore } from './semaphore.js';
export { isTraceparent, toSpanContext, toTraceparent } from './trace-context.js';
export { settlesWithin, withTimeout } from './with-timeout.js';

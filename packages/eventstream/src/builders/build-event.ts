import {
  applicationHeader,
  type EventEnvelope,
  isApplicationName,
  PlatformError,
  toSpanContext,
  toTraceparent,
} from '@posthaste/contracts';
import { type EnvelopeProfile, encodeEnvelope } from '../envelope/encode.js';
import { toHeaders, toTraceHeaders } from '../envelope/headers.js';
import { newEventId } from '../rules/event-id.js';
import { invalidEvent } from '../rules/invalid-event.js';
import { checkPublished, checkPublishedTopics } from '../rules/publish-rules.js';
import { toWireTopic } from '../rules/topic-name.js';

import { fromUnixNano, toEventTime } from './event-time.js';
import {
  envelopeKeyOf,
  PublishBuilder,
  type PublishErrorCallback,
  type PublishRequest,
  requestFieldOf,
} from './publish.js';

/** Options of `buildEvent`. */
export interface BuildOptions {
  /** Prefix of the topics. Empty: no prefix. */
  readonly prefix: string;
  readonly profile: EnvelopeProfile;
  /** True if user, client, session and trace ids must be UUIDs. */
  readonly strictValidation: boolean;
  /** True if the headers make the record a CloudEvent. Default true. */
  readonly cloudEvents?: boolean | undefined;
  /** W3C trace context of the publisher, for events without one of their own. */
  readonly traceparent?: string | undefined;
  /** Application of events that name none. Default: none. */
  readonly application?: string | undefined;
  /**
   * True if the trace context of the publisher also becomes the span context of the envelope. False:
   * it is only in the header of the record. Default true.
   */
  readonly addSpanContext?: boolean | undefined;
  /** Key `topic` of the envelope. Default none: readers know the topic of a record. */
  readonly envelopeTopic?: string | undefined;
  /** Clock, in ms since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Source of ids. Default: UUIDs v4 without hyphens. */
  readonly newId?: (() => string) | undefined;
}

/** An event, encoded once for all of its topics. */
export interface BuiltEvent {
  /** As on the wire, with the prefix; each topic once. */
  readonly topics: readonly string[];
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly envelope: EventEnvelope<object>;
  readonly timeoutMs: number | undefined;
  readonly onError: PublishErrorCallback | undefined;
  readonly signal: AbortSignal | undefined;
}

type MutableEnvelope = { -readonly [Key in keyof EventEnvelope<object>]: unknown };

/**
 * Validates an event, adds id and time, and encodes it.
 * @throws PlatformError `EVENT_INVALID` with `details.field`
 */
export function buildEvent(
  publish: PublishRequest | PublishBuilder,
  options: BuildOptions,
): BuiltEvent {
  const request = toPublishRequest(publish);
  const topics = checkPublishedTopics(request.topic);
  checkPublished(request, options.strictValidation);
  const traceparent = findTraceparent(request, options.traceparent);
  const envelope = toEnvelope(request, traceparent, options);
  const application = toApplication(request.application) || options.application;
  return {
    topics: topics.map((topic) => toWireTopic(options.prefix, topic)),
    key: toKey(request.key, envelope.id),
    value: encode(envelope, options.profile),
    headers: toRecordHeaders({ envelope, traceparent, application }, options),
    envelope,
    timeoutMs: toTimeout(request.timeoutMs),
    onError: request.onError,
    signal: request.signal,
  };
}

/** @throws PlatformError `EVENT_INVALID` when the event is not an object */
function toPublishRequest(publish: PublishRequest | PublishBuilder): PublishRequest {
  if (publish instanceof PublishBuilder) return publish.build();
  if (typeof publish === 'object' && publish !== null) return publish;
  throw invalidEvent('unable to publish nil event', 'event', 'must be an object');
}

/** Returns the event's own trace context, else that of the publisher. */
function findTraceparent(
  { traceparent, spanContext }: PublishRequest,
  current: string | undefined,
): string | undefined {
  if (traceparent !== undefined) return traceparent;
  return spanContext ? toTraceparent(spanContext) : current;
}

/** Values of an event that its headers have. */
interface HeaderValues {
  readonly envelope: EventEnvelope<object>;
  readonly traceparent: string | undefined;
  readonly application: string | undefined;
}

function toRecordHeaders(
  { envelope, traceparent, application }: HeaderValues,
  { cloudEvents = true }: BuildOptions,
): Record<string, string> {
  const headers = cloudEvents ? toHeaders(envelope, traceparent) : toTraceHeaders(traceparent);
  if (application) headers[applicationHeader] = application;
  return headers;
}

function toEnvelope(
  request: PublishRequest,
  traceparent: string | undefined,
  { now = Date.now, newId = newEventId, addSpanContext = true, envelopeTopic }: BuildOptions,
): EventEnvelope<object> {
  const { timestampUnixNano } = request;
  const time =
    timestampUnixNano === undefined ? toEventTime(now()) : fromUnixNano(timestampUnixNano);
  const envelope: MutableEnvelope = {
    id: toId(request.id) || newId(),
    name: request.eventName,
    namespace: request.namespace ?? '',
    timestamp: time.timestamp,
    timestampUnixNano: time.timestampUnixNano,
    version: request.version ?? 1,
  };
  const traced = addSpanContext && traceparent ? toSpanContext(traceparent) : undefined;
  const spanContext = request.spanContext || traced;
  if (spanContext) envelope.spanContext = spanContext;
  if (envelopeTopic) envelope.topic = envelopeTopic;
  // Only the fields that are given: most requests have few of them.
  for (const field of Object.keys(request)) {
    const key = envelopeKeyOf.get(field);
    const value = request[field as keyof PublishRequest];
    if (key !== undefined && value !== undefined) envelope[key] = value;
  }
  // The encoder reports values of a wrong type.
  return envelope as EventEnvelope<object>;
}

function toId(id: unknown): string {
  if (id === undefined) return '';
  if (typeof id === 'string') return id;
  throw invalidEvent("publish struct isn't valid", 'id', 'must be a string');
}

/** Checks the name of an application. */
function toApplication(application: unknown): string | undefined {
  if (application === undefined) return undefined;
  if (typeof application === 'string' && isApplicationName(application)) return application;
  const reason = 'must be text of up to 256 characters, without control characters';
  throw invalidEvent("publish struct isn't valid", 'application', reason);
}

function toKey(key: unknown, id: string): Buffer {
  if (key === undefined || key === '') return Buffer.from(id);
  if (typeof key === 'string') return Buffer.from(key);
  throw invalidEvent("publish struct isn't valid", 'key', 'must be a string');
}

/** Checks the timeout. 0 counts as not given, as in the Go SDK. */
function toTimeout(timeoutMs: unknown): number | undefined {
  if (timeoutMs === undefined || timeoutMs === 0) return undefined;
  if (typeof timeoutMs === 'number' && timeoutMs > 0 && Number.isFinite(timeoutMs))
    return timeoutMs;
  throw invalidEvent("publish struct isn't valid", 'timeoutMs', 'must be a number of milliseconds');
}

function encode(envelope: EventEnvelope<object>, profile: EnvelopeProfile): Buffer {
  try {
    return encodeEnvelope(envelope, profile);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const { field } = error.details as { readonly field: string };
    throw new PlatformError(
      'EVENT_INVALID',
      `unable to construct event : ${envelope.name} , error : ${error.message}`,
      {
        cause: error,
        details: { field: requestFieldOf.get(field) ?? field, reason: error.message },
      },
    );
  }
}

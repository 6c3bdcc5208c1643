import { hash } from 'node:crypto';
import {
  type EventEnvelope,
  eventDataOf,
  isApplicationName,
  isJsonObject,
  type JsonObject,
  PlatformError,
  sourceOf,
} from '@posthaste/contracts';
import { type BuiltEvent, buildEvent } from '../../builders/build-event.js';
import { republish } from '../../builders/republish.js';
import { encodeEnvelope } from '../../envelope/encode.js';
import { invalidEvent } from '../../rules/invalid-event.js';

const maxIdLength = 256;
const maxKeyBytes = 4_096;
const controlCharacter = /\p{Cc}/u;

/** Options of `toEventToPublish`. */
export interface EventToPublishOptions {
  /** Topic of the event, as on the wire. */
  readonly topic: string;
  /** Application that publishes the event. The event belongs to it; its envelope does not name it. */
  readonly application: string;
  /** Events of one key keep their order. Up to 4,096 bytes. Default: the id of the event. */
  readonly key?: string | undefined;
  /** W3C trace context of the caller, for an event that has no trace of its own. */
  readonly traceparent?: string | undefined;
  /** Further headers of the record. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * True for an event that readers get as it came: its envelope keeps its `topic`, and gets no span
   * context of the caller's trace, which is in the record's header. Default false.
   */
  readonly asGiven?: boolean | undefined;
  /** Largest key and value together, in bytes. Default 1,048,576, as in `PostgresLog`. */
  readonly maxBytes?: number | undefined;
}

/** Checked and encoded event that `publishOnce` can append. */
export interface EventToPublish {
  readonly topic: string;
  readonly application: string;
  readonly id: string;
  /**
   * `source` of the event as a CloudEvent: its namespace, or the source that it came with. Ids are
   * unique within it.
   */
  readonly source: string;
  /**
   * SHA-256 of the content, if the publisher chose the id: an event that is published again under
   * that id must have the same content. The event's time and trace are not part of it, because
   * publishers set both anew when they publish again.
   */
  readonly contentHash: Buffer | undefined;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Checks an event by the rules of stream clients and encodes it. An envelope with an empty id gets a
 * new one.
 * @throws PlatformError `EVENT_INVALID` with `{ field, reason }` in `details`, `EVENT_TOO_LARGE`
 */
export function toEventToPublish(
  envelope: EventEnvelope,
  options: EventToPublishOptions,
): EventToPublish {
  const { topic, application, key, traceparent, headers, asGiven = false } = options;
  const { maxBytes = 1_048_576 } = options;
  if (!isApplicationName(application)) {
    throw invalid('application', 'must be up to 256 visible characters');
  }
  checkKey(key);
  checkId(envelope);
  checkTime(envelope);
  const hasOwnId = envelope.id !== '';
  const request = { ...republish(envelope, topic), key, id: hasOwnId ? envelope.id : undefined };
  const built = buildEvent(request, {
    prefix: '',
    profile: 'default',
    strictValidation: false,
    traceparent,
    addSpanContext: !asGiven,
    envelopeTopic: asGiven ? envelope.topic : undefined,
  });
  const bytes = built.key.length + built.value.length;
  if (bytes > maxBytes) {
    const message = `the event has ${bytes} bytes (key and value), and the limit is ${maxBytes}`;
    throw new PlatformError('EVENT_TOO_LARGE', message);
  }
  return {
    topic,
    application,
    id: built.envelope.id,
    source: sourceOf(built.envelope),
    contentHash: hasOwnId ? hashContent(built) : undefined,
    key: built.key,
    value: built.value,
    headers: headers === undefined ? built.headers : { ...built.headers, ...headers },
  };
}

function checkKey(key: string | undefined): void {
  if (key === undefined) return;
  if (Buffer.byteLength(key) > maxKeyBytes) throw invalid('key', `is over ${maxKeyBytes} bytes`);
  if (!key.isWellFormed()) {
    throw invalid('key', 'contains half of a surrogate pair, which UTF-8 cannot encode');
  }
}

function checkId({ id }: EventEnvelope): void {
  // Half a surrogate pair would be stored as another character, and so as another id.
  if (id.length <= maxIdLength && id.isWellFormed() && !controlCharacter.test(id)) return;
  throw invalid('id', `must be up to ${maxIdLength} visible characters`);
}

/** Refuses a text that is not a time: `buildEvent` would replace it by the present time. */
function checkTime({ timestamp, timestampUnixNano }: EventEnvelope): void {
  if (timestamp === '' || timestampUnixNano !== undefined) return;
  if (Number.isNaN(Date.parse(timestamp))) {
    throw invalid('timestamp', 'is not a time of the calendar');
  }
}

function invalid(field: string, reason: string): PlatformError {
  return invalidEvent(`${field} ${reason}`, field, reason);
}

/** Hashes the encoded event, so that neither the order of JSON members nor white space matters. */
function hashContent({ envelope, key }: BuiltEvent): Buffer {
  // The topic too is left out: an id belongs to a topic, which the request may also name elsewhere.
  const { timestampUnixNano: _, spanContext, traceId, topic, ...given } = envelope;
  const content = withoutEmptyData(given);
  const additional_fields = toHashedFields(content.additional_fields);
  const value = encodeEnvelope({ ...content, timestamp: '', additional_fields }, 'default');
  // The NUL separates key and content unambiguously: JSON contains none.
  return hash('sha256', Buffer.concat([key, Buffer.of(0), value]), 'buffer');
}

/** Removes the data of a CloudEvent that is an empty object: an envelope has none of it. */
function withoutEmptyData(envelope: EventEnvelope<object>): EventEnvelope<object> {
  const data = eventDataOf(envelope);
  if (!isJsonObject(data) || data === envelope.payload || Object.keys(data).length > 0)
    return envelope;
  const { payload: _, additional_fields: { cloudevent, ...fields } = {}, ...rest } = envelope;
  const { data: _wrapped, ...original } = isJsonObject(cloudevent) ? cloudevent : {};
  return { ...rest, additional_fields: { ...fields, cloudevent: original } };
}

/**
 * Returns the additional fields that are content. Neither the trace is, nor what only says how a
 * CloudEvent was written: the text of its time, and which attributes were left to their defaults.
 */
function toHashedFields(fields: JsonObject = {}): JsonObject {
  const { traceparent: _parent, tracestate: _state, cloudevent, ...hashed } = fields;
  if (!isJsonObject(cloudevent))
    return cloudevent === undefined ? hashed : { ...hashed, cloudevent };
  const { time: _time, attributes, ...original } = cloudevent;
  const written = isJsonObject(attributes) ? Object.entries(attributes) : [];
  const given = written.filter(([, value]) => value !== null);
  const content = {
    ...original,
    ...(given.length > 0 && { attributes: Object.fromEntries(given) }),
  };
  return Object.keys(content).length > 0 ? { ...hashed, cloudevent: content } : hashed;
}

import { hash } from 'node:crypto';
import { callbackEventTopic } from '@posthaste/callbacks';
import { type EventEnvelope, PlatformError, sourceOf } from '@posthaste/contracts';
import {
  type BuiltEvent,
  buildEvent,
  encodeEnvelope,
  type InvalidEventDetails,
  type PublishRequest,
  republish,
} from '@posthaste/eventstream';
import type { FieldFault } from './http/field-faults.js';

/** Topics that the platform alone publishes to: what is told there has happened. */
const platformTopics: ReadonlySet<string> = new Set([callbackEventTopic]);

/** Largest key and value of an event together, in bytes. */
export const maxEventBytes = 1_048_576;

const controlCharacter = /\p{Cc}/u;
const maxIdLength = 256;
const maxKeyBytes = 4_096;

/** Where an event goes. */
export interface EventAddress {
  readonly topic: string | undefined;
  /** Events of one key keep their order. Not given: the event's id. */
  readonly key: string | undefined;
}

export interface PublishOptions extends EventAddress {
  /** Of the request that hands it in, for events that say nothing of their trace. */
  readonly traceparent: string | undefined;
  /** What its publisher calls fields of the envelope, where that differs; for faults. */
  readonly fieldNames?: Readonly<Record<string, string>>;
}

/** An event that is fit for the log. */
export interface EventToPublish {
  readonly topic: string;
  readonly id: string;
  /** As a CloudEvent's: its namespace, or the foreign one that it came with. Ids are unique within it. */
  readonly source: string;
  /**
   * SHA-256 of what it says, when its publisher chose the id: what comes under it again must say the
   * same. When it happened and its trace are not part of it: publishers set both anew.
   */
  readonly contentHash: Buffer | undefined;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Checks an event as clients of the stream do, and encodes it.
 * @throws PlatformError `EVENT_INVALID` with the field in `details`, `EVENT_TOO_LARGE`
 */
export function toEventToPublish(
  envelope: EventEnvelope,
  { topic = '', key, traceparent, fieldNames = {} }: PublishOptions,
): EventToPublish {
  const fault = addressFault(topic, key) ?? idFault(envelope) ?? timeFault(envelope);
  if (fault) throw eventInvalid([rename(fault, fieldNames)]);
  const hasOwnId = envelope.id !== '';
  const request = { ...republish(envelope, topic), key, id: hasOwnId ? envelope.id : undefined };
  const built = build(request, traceparent, fieldNames);
  const bytes = built.key.length + built.value.length;
  if (bytes > maxEventBytes) {
    const message = `an event of ${bytes} bytes; ${maxEventBytes} at most`;
    throw new PlatformError('EVENT_TOO_LARGE', message);
  }
  const { key: keyBytes, value, headers } = built;
  const { id } = built.envelope;
  const source = sourceOf(built.envelope);
  const contentHash = hasOwnId ? hashContent(built) : undefined;
  return { topic, id, source, contentHash, key: keyBytes, value, headers };
}

/** Encoded as it is published, so that neither the order of keys nor spaces count. */
function hashContent({ envelope, key }: BuiltEvent): Buffer {
  const { timestampUnixNano: _, spanContext: _span, traceId: _trace, ...said } = envelope;
  const { traceparent: _parent, tracestate: _state, ...fields } = said.additional_fields ?? {};
  const content = encodeEnvelope({ ...said, timestamp: '', additional_fields: fields }, 'default');
  // Envelopes are JSON, which has no NUL.
  return hash('sha256', Buffer.concat([key, Buffer.of(0), content]), 'buffer');
}

/** The error of an event with these faults. */
export function eventInvalid(faults: readonly FieldFault[], cause?: unknown): PlatformError {
  const [first] = faults;
  const message = first ? `${first.field} ${first.message}` : 'the event is not valid';
  return new PlatformError('EVENT_INVALID', message, { cause, details: faults });
}

function addressFault(topic: string, key: string | undefined): FieldFault | undefined {
  if (topic === '') {
    return { field: 'topic', message: 'is missing: name it in the event or in the query' };
  }
  if (platformTopics.has(topic)) {
    return { field: 'topic', message: 'is a topic that only the platform itself publishes to' };
  }
  if (key !== undefined && Buffer.byteLength(key) > maxKeyBytes) {
    return { field: 'key', message: `is over ${maxKeyBytes} bytes` };
  }
  if (key?.isWellFormed() === false) {
    return { field: 'key', message: 'has half a surrogate pair, which no text in UTF-8 can have' };
  }
  return undefined;
}

function idFault({ id }: EventEnvelope): FieldFault | undefined {
  // Half a surrogate pair would be stored as another character, and so as another id.
  if (id.length <= maxIdLength && id.isWellFormed() && !controlCharacter.test(id)) return undefined;
  return { field: 'id', message: `is not up to ${maxIdLength} visible characters` };
}

/** A time that is none would become the present one. */
function timeFault({ timestamp, timestampUnixNano }: EventEnvelope): FieldFault | undefined {
  const isTime = timestampUnixNano !== undefined || !Number.isNaN(Date.parse(timestamp));
  if (isTime || timestamp === '') return undefined;
  return { field: 'timestamp', message: 'is not a time of the calendar' };
}

function build(
  request: PublishRequest,
  traceparent: string | undefined,
  fieldNames: Readonly<Record<string, string>>,
): BuiltEvent {
  try {
    const profile = 'default';
    return buildEvent(request, { prefix: '', profile, strictValidation: false, traceparent });
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === 'EVENT_INVALID')) throw error;
    const { field, reason: message } = error.details as InvalidEventDetails;
    // The one field that requests to publish and envelopes call differently.
    const fault = { field: field === 'eventName' ? 'name' : field, message };
    throw eventInvalid([rename(fault, fieldNames)], error);
  }
}

function rename(
  { field, message }: FieldFault,
  names: Readonly<Record<string, string>>,
): FieldFault {
  return { field: names[field] ?? field, message };
}

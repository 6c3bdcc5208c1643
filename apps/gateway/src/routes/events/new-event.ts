import { callbackEventTopic, requestInvalid } from '@posthaste/callbacks';
import {
  type EventEnvelope,
  fromCloudEvent,
  JsonNumber,
  PlatformError,
  parseEnvelope,
} from '@posthaste/contracts';
import type { InvalidEventDetails } from '@posthaste/eventstream';
import {
  type EventToPublish,
  type EventToPublishOptions,
  toEventToPublish,
} from '@posthaste/eventstream/event-log';
import type { FieldFault } from '../../http/field-faults.js';
import { parseTraceContext, type TraceContext, toTraceparent } from '../../http/trace-context.js';
import { newEventFaults } from './event-schemas.js';

/** Topics that only the platform publishes to: their events have really happened. */
const platformTopics: ReadonlySet<string> = new Set([callbackEventTopic]);

/** Request that an event comes with. */
export interface EventContext {
  /** Topic of the query, for events that name none. */
  readonly topic: string | undefined;
  /** Key of the query, for events that have none. Default: the id of the event. */
  readonly key: string | undefined;
  readonly trace: TraceContext | undefined;
  /** True if it must be a CloudEvent; false: it is one if it has a `specversion`. */
  readonly isCloudEvent: boolean;
}

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Parses an event of a parsed body: an envelope or a CloudEvent.
 * @throws PlatformError `REQUEST_INVALID` with all faults of its form; `EVENT_INVALID` with the
 *   field, `EVENT_TOO_LARGE`
 */
export function parseNewEvent(body: unknown, context: EventContext): EventToPublish {
  if (!isObject(body)) throw requestInvalid([{ field: 'body', message: 'is not an event' }]);
  return context.isCloudEvent || 'specversion' in body
    ? parseCloudEvent(body, context)
    : parseEnvelopeEvent(body, context);
}

function isObject(value: unknown): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber)
  );
}

/** Fields of a checked envelope that are more than copied to the event. */
interface AddressedEnvelope {
  readonly topic?: string;
  readonly key?: string;
  readonly version?: number | bigint;
}

function parseEnvelopeEvent(body: JsonObject, context: EventContext): EventToPublish {
  // Null and empty text count as absent, as in all services that share the envelope: some encoders
  // write them for fields that are not set.
  const given = Object.entries(body).filter(([, value]) => value !== null && value !== '');
  const event = Object.fromEntries(given.map(([key, value]) => [key, toPlainNumber(value)]));
  const faults = newEventFaults(event);
  if (faults.length > 0) throw requestInvalid(faults);
  const { topic, key, version = 1, ...rest } = event as AddressedEnvelope;
  const options = {
    topic: topic ?? context.topic,
    key: key ?? context.key,
    traceparent: context.trace && toTraceparent(context.trace),
  };
  return prepare(parseEnvelope({ ...rest, version }), options, {});
}

/** Converts a number of the envelope itself; those inside its payload keep their digits. */
function toPlainNumber(value: unknown): unknown {
  if (!(value instanceof JsonNumber)) return value;
  return /^-?\d{1,19}$/.test(value.text) ? BigInt(value.text) : value.valueOf();
}

/** Attributes of a CloudEvent, by the field of the envelope that has another name. */
const attributeNames: Readonly<Record<string, string>> = {
  name: 'type',
  namespace: 'source',
  key: 'partitionkey',
  payload: 'data',
  timestamp: 'time',
  timestampUnixNano: 'time',
};

function parseCloudEvent(body: JsonObject, context: EventContext): EventToPublish {
  const envelope = toEnvelope(body);
  const { partitionkey, traceparent } = envelope.additional_fields ?? {};
  const hasOwnKey = typeof partitionkey === 'string' && partitionkey !== '';
  const options = {
    topic: envelope.topic ?? context.topic,
    key: hasOwnKey ? partitionkey : context.key,
    traceparent: ownTraceparent(traceparent) ?? (context.trace && toTraceparent(context.trace)),
  };
  return prepare(envelope, options, attributeNames);
}

/** Returns the attribute of CloudEvents' extension for distributed tracing, if it is valid. */
function ownTraceparent(attribute: unknown): string | undefined {
  const own = typeof attribute === 'string' ? parseTraceContext(attribute, undefined) : undefined;
  return own && toTraceparent(own);
}

function toEnvelope(body: JsonObject): EventEnvelope {
  try {
    return fromCloudEvent(body);
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === 'ENVELOPE_INVALID')) throw error;
    const { field = 'specversion' } = (error.details ?? {}) as { readonly field?: string };
    const details = [{ field, message: error.message }];
    throw new PlatformError('EVENT_INVALID', error.message, { cause: error, details });
  }
}

type Address = Omit<EventToPublishOptions, 'topic'> & { readonly topic: string | undefined };

/**
 * Checks and encodes the event.
 * @param fieldNames the publisher's names of fields of the envelope, where they differ; for faults
 */
function prepare(
  envelope: EventEnvelope,
  { topic = '', ...address }: Address,
  fieldNames: Readonly<Record<string, string>>,
): EventToPublish {
  const fault = topicFault(topic);
  if (fault) throw eventInvalid(fault);
  try {
    return toEventToPublish(envelope, { topic, ...address });
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === 'EVENT_INVALID')) throw error;
    const { field: requestField, reason: message } = error.details as InvalidEventDetails;
    // The one field that requests of the package name differently from envelopes.
    const field = requestField === 'eventName' ? 'name' : requestField;
    throw eventInvalid({ field: fieldNames[field] ?? field, message }, error);
  }
}

function topicFault(topic: string): FieldFault | undefined {
  if (topic === '') {
    return { field: 'topic', message: 'is missing: name it in the event or in the query' };
  }
  if (platformTopics.has(topic)) {
    return { field: 'topic', message: 'is a topic that only the platform itself publishes to' };
  }
  return undefined;
}

function eventInvalid(fault: FieldFault, cause?: unknown): PlatformError {
  const message = `${fault.field} ${fault.message}`;
  return new PlatformError('EVENT_INVALID', message, { cause, details: [fault] });
}

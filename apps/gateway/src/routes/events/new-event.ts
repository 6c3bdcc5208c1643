import { requestInvalid } from '@posthaste/callbacks';
import {
  type EventEnvelope,
  eventTypeOf,
  fromCloudEvent,
  hopsHeader,
  isJsonObject,
  JsonNumber,
  type JsonObject,
  PlatformError,
  parseEnvelope,
  reservedNameFault,
  reservedTopicFault,
} from '@posthaste/contracts';
import type { InvalidEventDetails } from '@posthaste/eventstream';
import {
  type EventToPublish,
  type EventToPublishOptions,
  toEventToPublish,
} from '@posthaste/eventstream/event-log';
import type { FieldFault } from '../../http/field-faults.js';
import { parseTraceContext, type TraceContext, toTraceparent } from '../../http/trace-context.js';
import type { ItemFaults } from '../schemas/batch-item.js';
import {
  type EventMode,
  eventInvalid,
  hasHalfPair,
  toAttributeField,
  toEventField,
  toEventInvalid,
} from './event-faults.js';
import { newEventFaults } from './event-schemas.js';

/** Request that an event comes with. */
export interface EventContext {
  /** Topic of the query, for events that name none. */
  readonly topic: string | undefined;
  /** Key of the query, for events that have none. Default: the id of the event. */
  readonly key: string | undefined;
  /**
   * Returns the application of an event that names this one, or none.
   * @throws PlatformError `APPLICATION_FORBIDDEN`, `APPLICATION_REQUIRED`
   */
  readonly applicationFor: (named: string | undefined) => string;
  readonly trace: TraceContext | undefined;
  /** Number of deliveries that led to the request. */
  readonly hops: number;
  /** Mode of the request. In `plain` mode, the event is a CloudEvent if it has a `specversion`. */
  readonly mode: EventMode;
  /** True if it must be checked for half surrogate pairs. */
  readonly mayHaveHalfPairs: boolean;
  /** Faults of the events of the request. */
  readonly faults: ItemFaults;
}

/**
 * Parses an event of a parsed body: an envelope or a CloudEvent.
 * @throws PlatformError `REQUEST_INVALID` with all faults of its form; `EVENT_INVALID` with the
 *   field, `EVENT_TOO_LARGE`, `APPLICATION_*`
 */
export function parseNewEvent(body: unknown, context: EventContext): EventToPublish {
  if (!isJsonObject(body)) throw requestInvalid([{ field: 'body', message: 'is not an event' }]);
  if (context.mayHaveHalfPairs) refuseHalfPairs(body, context.mode);
  return context.mode !== 'plain' || 'specversion' in body
    ? parseCloudEvent(body, context)
    : parseEnvelopeEvent(body, context);
}

/** Refuses what UTF-8 cannot encode: it would be stored as other characters. */
function refuseHalfPairs(body: JsonObject, mode: EventMode): void {
  const found = Object.entries(body).find((member) => hasHalfPair(member));
  if (found === undefined) return;
  const message = 'contains half of a surrogate pair, which UTF-8 cannot encode';
  throw eventInvalid({ field: toAttributeField(found[0], mode), message });
}

/** Fields of a checked envelope that are more than copied to the event. */
interface AddressedEnvelope {
  readonly application?: string;
  readonly topic?: string;
  readonly key?: string;
  readonly version?: number | bigint;
}

function parseEnvelopeEvent(body: JsonObject, context: EventContext): EventToPublish {
  // Null and empty text count as absent, as in all services that share the envelope: some encoders
  // write them for fields that are not set.
  // The empty name of an application is one.
  const given = Object.entries(body).filter(
    ([key, value]) => value !== null && (value !== '' || key === 'application'),
  );
  const event = Object.fromEntries(given.map(([key, value]) => [key, toPlainNumber(value)]));
  const faults = newEventFaults(event, context.faults);
  if (faults.length > 0) throw requestInvalid(faults);
  const { application, topic, key, version = 1, ...rest } = event as AddressedEnvelope;
  const options = {
    application: context.applicationFor(application),
    topic: topic ?? context.topic,
    key: key ?? context.key,
    traceparent: context.trace && toTraceparent(context.trace),
    headers: toHopHeaders(context),
  };
  return prepare(parseEnvelope({ ...rest, version }), options, (field) => field);
}

/** Converts a number of the envelope itself; those inside its payload keep their digits. */
function toPlainNumber(value: unknown): unknown {
  if (!(value instanceof JsonNumber)) return value;
  return /^-?\d{1,19}$/.test(value.text) ? BigInt(value.text) : value.valueOf();
}

/** Attribute of a CloudEvent that names the application. It is not kept: the event does not have it. */
const applicationAttribute = 'posthasteapplication';

function parseCloudEvent(body: JsonObject, context: EventContext): EventToPublish {
  const { [applicationAttribute]: application, ...attributes } = body;
  if (application !== undefined && typeof application !== 'string') {
    const field = toAttributeField(applicationAttribute, context.mode);
    throw eventInvalid({ field, message: 'must be text' });
  }
  const envelope = toEnvelope(attributes, context.mode);
  const { partitionkey, traceparent } = envelope.additional_fields ?? {};
  const hasOwnKey = typeof partitionkey === 'string' && partitionkey !== '';
  const options = {
    application: context.applicationFor(application),
    topic: envelope.topic ?? context.topic,
    key: hasOwnKey ? partitionkey : context.key,
    traceparent: ownTraceparent(traceparent) ?? (context.trace && toTraceparent(context.trace)),
    headers: toHopHeaders(context),
    asGiven: true,
  };
  return prepare(envelope, options, (field) => toEventField(field, context.mode));
}

/** Returns the header of a record that callbacks made for the event get their hops from. */
function toHopHeaders({ hops }: EventContext): Readonly<Record<string, string>> | undefined {
  return hops === 0 ? undefined : { [hopsHeader]: String(hops) };
}

/** Returns the attribute of CloudEvents' extension for distributed tracing, if it is valid. */
function ownTraceparent(attribute: unknown): string | undefined {
  const own = typeof attribute === 'string' ? parseTraceContext(attribute, undefined) : undefined;
  return own && toTraceparent(own);
}

function toEnvelope(body: JsonObject, mode: EventMode): EventEnvelope {
  try {
    return fromCloudEvent(body);
  } catch (error) {
    throw toEventInvalid(error, mode);
  }
}

type Address = Omit<EventToPublishOptions, 'topic'> & { readonly topic: string | undefined };

/**
 * Checks and encodes the event.
 * @param nameOf returns the publisher's name of a field of the envelope, for faults
 */
function prepare(
  envelope: EventEnvelope,
  { topic = '', ...address }: Address,
  nameOf: (field: string) => string,
): EventToPublish {
  const fault = topicFault(topic) ?? nameFault(envelope, nameOf('name'));
  if (fault) throw eventInvalid(fault);
  try {
    return toEventToPublish(envelope, { topic, ...address });
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === 'EVENT_INVALID')) throw error;
    const { field: requestField, reason } = error.details as InvalidEventDetails;
    // The reason is of the field's type, and the publisher may have given text.
    const message = requestField === 'timestampUnixNano' ? 'is not from 1678 to 2261' : reason;
    // The one field that requests of the package name differently from envelopes.
    const field = requestField === 'eventName' ? 'name' : requestField;
    throw eventInvalid({ field: nameOf(field), message }, error);
  }
}

function topicFault(topic: string): FieldFault | undefined {
  if (topic === '') {
    return { field: 'topic', message: 'is missing: name it in the event or in the query' };
  }
  const message = reservedTopicFault(topic);
  return message === undefined ? undefined : { field: 'topic', message };
}

/** Checks both names of a CloudEvent: subscriptions choose by its type, consumers by the other. */
function nameFault(envelope: EventEnvelope, field: string): FieldFault | undefined {
  const message = reservedNameFault(envelope.name) ?? reservedNameFault(eventTypeOf(envelope));
  return message === undefined ? undefined : { field, message };
}

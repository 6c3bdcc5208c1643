import { requestInvalid } from '@posthaste/callbacks';
import {
  type EventEnvelope,
  fromCloudEvent,
  PlatformError,
  parseEnvelope,
} from '@posthaste/contracts';
import {
  type EventAddress,
  type EventToPublish,
  toEventToPublish,
} from '../../event-to-publish.js';
import { parseTraceContext, type TraceContext, toTraceparent } from '../../http/trace-context.js';
import { newEventFaults } from './event-schemas.js';

/** What an event is handed in with. */
export interface EventContext {
  /** Of the query: for events that do not say where they go. */
  readonly address: EventAddress;
  readonly trace: TraceContext | undefined;
  /** Whether it must be a CloudEvent; else it is one when it has a `specversion`. */
  readonly isCloudEvent: boolean;
}

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The event that a parsed body is, as an envelope or a CloudEvent.
 * @throws PlatformError `REQUEST_INVALID` when it has not the form, with all faults; `EVENT_INVALID`,
 *   `EVENT_TOO_LARGE`
 */
export function parseNewEvent(body: unknown, context: EventContext): EventToPublish {
  if (!isObject(body)) throw requestInvalid([{ field: 'body', message: 'is no event' }]);
  return context.isCloudEvent || 'specversion' in body
    ? parseCloudEvent(body, context)
    : parseEnvelopeEvent(body, context);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of an envelope whose form was checked: what is not just passed on. */
interface Addressed {
  readonly topic?: string;
  readonly key?: string;
  readonly version?: number | bigint;
}

function parseEnvelopeEvent(body: JsonObject, { address, trace }: EventContext): EventToPublish {
  // As services that share the envelope read it: some encoders write what is not there so.
  const given = Object.entries(body).filter(([, value]) => value !== null && value !== '');
  const event = Object.fromEntries(given);
  const faults = newEventFaults(event);
  if (faults.length > 0) throw requestInvalid(faults);
  const { topic = address.topic, key = address.key, version = 1, ...rest } = event as Addressed;
  return toEventToPublish(parseEnvelope({ ...rest, version }), {
    topic,
    key,
    traceparent: trace && toTraceparent(trace),
  });
}

/** What attributes are called that say the same as these fields of the envelope. */
const attributeNames = {
  name: 'type',
  namespace: 'source',
  key: 'partitionkey',
  payload: 'data',
  timestamp: 'time',
  timestampUnixNano: 'time',
};

function parseCloudEvent(body: JsonObject, { address, trace }: EventContext): EventToPublish {
  const envelope = toEnvelope(body);
  const { partitionkey: key, traceparent } = envelope.additional_fields ?? {};
  return toEventToPublish(envelope, {
    topic: envelope.topic ?? address.topic,
    key: typeof key === 'string' && key !== '' ? key : address.key,
    traceparent: ownTraceparent(traceparent) ?? (trace && toTraceparent(trace)),
    fieldNames: attributeNames,
  });
}

/** Of CloudEvents' extension for distributed tracing; what is not valid is none. */
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

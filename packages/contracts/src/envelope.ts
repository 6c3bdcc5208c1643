/**
 * The event envelope that every stream carries. Its keys mix two naming styles, because existing
 * services read and write exactly these. An absent key means its zero value:
 * `''`, 0, false, no list, no object. `@posthaste/eventstream` encodes and decodes its bytes.
 */

import { newId, toCompactId } from './ids.js';
import { toTimestamp } from './timestamps.js';

const nsPerMs = 1_000_000n;

/** A value that JSON can carry; a bigint is an integer beyond 2^53 (see `parseExactJson`). */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** An integer of 64 bits: a number where a number holds it exactly, else a bigint. */
export type Int64 = number | bigint;

/** One event. */
export interface EventEnvelope<Payload extends object = JsonObject> {
  /** UUID without hyphens. */
  readonly id: string;
  /** Name of what happened, for example `login`. Consumers select events by it. */
  readonly name: string;
  readonly namespace: string;
  readonly parentNamespace?: string;
  readonly unionNamespace?: string;
  readonly clientId?: string;
  readonly traceId?: string;
  readonly spanContext?: string;
  readonly userId?: string;
  readonly sessionId?: string;
  /** RFC 3339, UTC, whole seconds. */
  readonly timestamp: string;
  /** The same moment in nanoseconds since 1970. */
  readonly timestampUnixNano?: bigint;
  /** Version of the shape of the payload. Default 1. */
  readonly version: Int64;
  readonly event_id?: Int64;
  readonly event_type?: Int64;
  readonly event_level?: Int64;
  /** Service that published the event. */
  readonly service?: string;
  readonly client_ids?: readonly string[];
  readonly target_user_ids?: readonly string[];
  readonly target_namespace?: string;
  readonly privacy?: boolean;
  readonly topic?: string;
  readonly sourceNamespace?: string;
  readonly additional_fields?: JsonObject;
  readonly payload?: Payload;
  /** Other keys of the record. They are written to the wire again, beside the keys above. */
  readonly unknownKeys?: JsonObject;
}

/** A key of the envelope on the wire. */
export type EnvelopeKey = Exclude<keyof EventEnvelope, 'unknownKeys'>;

/** Kind of the value of an envelope key. */
export type EnvelopeFieldKind =
  | 'string'
  | 'integer'
  | 'nanoseconds'
  | 'boolean'
  | 'strings'
  | 'object';

/** Every key with the kind of its value, in the order of the wire. */
export const envelopeFields: Readonly<Record<EnvelopeKey, EnvelopeFieldKind>> = {
  id: 'string',
  name: 'string',
  namespace: 'string',
  parentNamespace: 'string',
  unionNamespace: 'string',
  clientId: 'string',
  traceId: 'string',
  spanContext: 'string',
  userId: 'string',
  sessionId: 'string',
  timestamp: 'string',
  timestampUnixNano: 'nanoseconds',
  version: 'integer',
  event_id: 'integer',
  event_type: 'integer',
  event_level: 'integer',
  service: 'string',
  client_ids: 'strings',
  target_user_ids: 'strings',
  target_namespace: 'string',
  privacy: 'boolean',
  topic: 'string',
  sourceNamespace: 'string',
  additional_fields: 'object',
  payload: 'object',
};

/** The keys in the order of the wire. */
export const envelopeKeys: readonly EnvelopeKey[] = Object.keys(envelopeFields) as EnvelopeKey[];

/** Input of `createEnvelope`: an envelope of which only `name` and `namespace` are required. */
export type EnvelopeInput<Payload extends object = JsonObject> = Omit<
  EventEnvelope<Payload>,
  'id' | 'timestamp' | 'timestampUnixNano' | 'version'
> &
  Partial<Pick<EventEnvelope, 'id' | 'version'>> & {
    /** Moment of the event, in nanoseconds since 1970. Default: now. */
    readonly timestampUnixNano?: bigint;
  };

/**
 * Creates an event. The defaults are a new id, version 1 and the present time.
 * @throws PlatformError `ENVELOPE_INVALID` if the time does not fit 64 bits
 */
export function createEnvelope<Payload extends object = JsonObject>(
  input: EnvelopeInput<Payload>,
): EventEnvelope<Payload> {
  const timestampUnixNano = input.timestampUnixNano ?? BigInt(Date.now()) * nsPerMs;
  return {
    ...input,
    id: input.id ?? toCompactId(newId()),
    version: input.version ?? 1,
    timestamp: toTimestamp(timestampUnixNano),
    timestampUnixNano,
  };
}

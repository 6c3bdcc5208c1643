/** Conversion of the envelope's keys to attributes, and back. The table is in cloudevents.ts. */

import {
  type EnvelopeFieldKind,
  type EventEnvelope,
  envelopeFields,
  type Int64,
  type JsonObject,
  type JsonValue,
} from '../envelope.js';
import { PlatformError } from '../errors/errors.js';
import { parseInt64 } from '../exact-json.js';
import { isJsonObject, parseEnvelope } from '../parse-envelope.js';
import {
  type Attributes,
  type AttributeValue,
  type EventParts,
  isAttributeValue,
  isInt32,
} from './attributes.js';
import { isEventName, toEventName } from './event-name.js';
import { fromTimeAttributes, hasOnlyText, toTimeAttributes } from './event-time.js';
import {
  foreignSource,
  fromExtensions,
  jsonAttributes,
  namespaceOf,
  ownSource,
  toExtensions,
} from './extensions.js';
import { parseJsonText, parseObjectText, toJsonText } from './json-attributes.js';

/** Envelope keys that are carried by one attribute each, beside `id` and `name`. */
const attributeOf = {
  parentNamespace: 'parentnamespace',
  unionNamespace: 'unionnamespace',
  clientId: 'clientid',
  traceId: 'traceid',
  spanContext: 'spancontext',
  userId: 'subject',
  sessionId: 'sessionid',
  version: 'version',
  event_id: 'eventid',
  event_type: 'eventtype',
  event_level: 'eventlevel',
  service: 'service',
  client_ids: 'clientids',
  target_user_ids: 'targetuserids',
  target_namespace: 'targetnamespace',
  privacy: 'privacy',
  topic: 'topic',
  sourceNamespace: 'sourcenamespace',
} as const;

const carriedKeys = Object.keys(attributeOf) as (keyof typeof attributeOf)[];

const defaultVersion = 1;
const jsonType = 'application/json';

type Values = Readonly<Record<string, unknown>>;

/**
 * Converts an envelope to the attributes of a CloudEvent.
 * @param isWrapped true if the payload only holds data that is no JSON object
 * @throws PlatformError `ENVELOPE_INVALID` if the namespace cannot be encoded in UTF-8
 */
export function toAttributes(envelope: EventEnvelope<object>, isWrapped: boolean): Attributes {
  const { id, name, namespace, payload, unknownKeys } = envelope;
  const { timestamp, ...time } = toTimeAttributes(envelope);
  const source = foreignSource(envelope);
  const type = payload && !isWrapped ? jsonType : undefined;
  const { keys, others } = toKeyAttributes(envelope);
  if (!isEventName(name)) others.name = name;
  if (namespace !== '' && !isEventName(namespace)) others.namespace = namespace;
  if (hasOnlyText(envelope) || !isAttributeValue(timestamp ?? '')) {
    others.timestamp = envelope.timestamp;
  }
  // The encoder leaves out empty objects, so that those of foreign events are kept otherwise.
  if (isEmpty(payload) && !isWrapped) others.payload = {};
  if (isEmpty(envelope.additional_fields)) others.additional_fields = {};
  if (isEmpty(unknownKeys)) others.unknownKeys = {};
  return definedOnly({
    specversion: '1.0',
    id,
    source: source ?? ownSource(namespace),
    type: isAttributeValue(name) ? name : toEventName(name),
    ...time,
    datacontenttype: type,
    ...keys,
    timestamp: 'timestamp' in others ? undefined : timestamp,
    namespace: source !== undefined && isEventName(namespace) ? namespace : undefined,
    ...toExtensions(envelope, type),
    unknownkeys: isEmpty(unknownKeys) ? undefined : unknownKeys && toJsonText(unknownKeys),
    envelopekeys: Object.keys(others).length > 0 ? toJsonText(others) : undefined,
  });
}

function isEmpty(value: unknown): boolean {
  return isJsonObject(value) && Object.keys(value).length === 0;
}

/** Returns the attributes of single keys, and the keys whose value no attribute can have. */
function toKeyAttributes(envelope: EventEnvelope<object>): {
  readonly keys: Values;
  readonly others: Record<string, JsonValue>;
} {
  const keys: Record<string, AttributeValue> = {};
  const others: Record<string, JsonValue> = {};
  for (const key of carriedKeys) {
    const value = envelope[key];
    if (key === 'version' ? value === defaultVersion : isZero(value)) continue;
    const attribute = toAttribute(value);
    if (attribute === undefined) others[key] = value as JsonValue;
    else keys[attributeOf[key]] = attribute;
  }
  return { keys, others };
}

/** Converts a value to an attribute. Integers beyond 32 bits and lists become text. */
function toAttribute(value: unknown): AttributeValue | undefined {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return isInt32(value) ? value : String(value);
  // The encoder leaves out empty lists, so that those of foreign events are no lists.
  if (Array.isArray(value)) return value.length === 0 ? undefined : toJsonText(value);
  return isAttributeValue(value) ? value : undefined;
}

/** Converts an attribute back. Returns undefined if it cannot be a value of this kind. */
function fromAttribute(value: unknown, kind: EnvelopeFieldKind): unknown {
  switch (kind) {
    case 'integer':
      return typeof value === 'string'
        ? toInt64(parseInt64(value))
        : isInt32(value)
          ? value
          : undefined;
    case 'boolean':
      return value === true || value === 'true' ? true : undefined;
    case 'strings': {
      const list = parseJsonText(value);
      const isList = Array.isArray(list) && list.every((item) => typeof item === 'string');
      return isList && list.length > 0 ? list : undefined;
    }
    default:
      return typeof value === 'string' ? value : undefined;
  }
}

function toInt64(integer: bigint | undefined): Int64 | undefined {
  if (integer === undefined) return undefined;
  return Number.isSafeInteger(Number(integer)) ? Number(integer) : integer;
}

/**
 * Converts the parts of a CloudEvent to an envelope. Leaves out what the envelope cannot hold.
 * @param trustsJson true if the attributes in `jsonAttributes` were written by `toAttributes`
 * @throws PlatformError `ENVELOPE_INVALID` if they were not
 */
export function fromAttributes(parts: EventParts, trustsJson: boolean): EventEnvelope {
  const { attributes } = parts;
  const [keys = {}, unknownkeys, rest] = jsonAttributes.map((name) => {
    if (!trustsJson || attributes[name] === undefined) return undefined;
    const object = parseObjectText(attributes[name]);
    if (object === undefined) throw notWritten(name);
    return object;
  });
  const { unknownKeys = unknownkeys, ...others } = keys;
  if (unknownKeys !== undefined && !areUnknown(unknownKeys)) throw notWritten('unknownkeys');
  const payload = toPayload(parts, others.payload);
  const { unknownKeys: unknown, ...envelope } = parseEnvelope({
    ...toRecord(attributes, others),
    payload,
  });
  if (unknown !== undefined) throw notWritten('envelopekeys');
  const isWrapped = payload !== null && payload !== parts.data;
  const additional = fromExtensions(attributes, {
    namespace: envelope.namespace,
    impliedType: payload !== null && !isWrapped ? jsonType : undefined,
    rest,
  });
  return {
    ...envelope,
    ...(additional && { additional_fields: additional }),
    ...(unknownKeys && { unknownKeys }),
  };
}

/** Returns the record of an envelope, without its payload. `others` are the keys that come as JSON. */
function toRecord(attributes: EventParts['attributes'], others: JsonObject): Values {
  const keys = carriedKeys.map((key) => [
    key,
    fromAttribute(attributes[attributeOf[key]], envelopeFields[key]) ?? null,
  ]);
  const isTextOnly = 'timestamp' in others && attributes.timestampunixnano === undefined;
  const record: Values = {
    id: attributes.id,
    name: toEventName(attributes.type),
    namespace: namespaceOf(attributes),
    ...(isTextOnly ? {} : fromTimeAttributes(attributes)),
    ...Object.fromEntries(keys),
    ...others,
  };
  return { ...record, version: record.version ?? defaultVersion };
}

/** True for an object without keys that the envelope defines: an envelope cannot have those twice. */
function areUnknown(keys: JsonValue): keys is JsonObject {
  const { unknownKeys = {} } = parseEnvelope(keys);
  return Object.keys(unknownKeys).length === Object.keys(keys as JsonObject).length;
}

function notWritten(name: string): PlatformError {
  return new PlatformError('ENVELOPE_INVALID', `${name} is not the text of a JSON object`);
}

function toPayload({ data, base64 }: EventParts, other: JsonValue | undefined): JsonObject | null {
  if (base64 !== undefined) return { data_base64: base64 };
  if (data === undefined) return null;
  return isJsonObject(data) && (Object.keys(data).length > 0 || other !== undefined)
    ? data
    : { data };
}

function isZero(value: unknown): boolean {
  return value === undefined || value === '' || value === 0 || value === 0n || value === false;
}

function definedOnly(attributes: Values): Attributes {
  const defined = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as Attributes;
}

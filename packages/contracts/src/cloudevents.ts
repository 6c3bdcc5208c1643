/**
 * Conversion of the event envelope to CloudEvents 1.0 in JSON, and back without loss.
 *
 * | envelope                             | CloudEvents attribute                                   |
 * | ------------------------------------ | ------------------------------------------------------- |
 * | `id`                                 | `id`                                                    |
 * | `name`                               | `type`                                                  |
 * | `namespace`                          | `source`: `/namespaces/<namespace>`, percent-encoded    |
 * | `userId`                             | `subject`                                               |
 * | `timestamp` and `timestampUnixNano`  | `time`: with nine digits of a second when both are set  |
 * | `payload`                            | `data`, with `datacontenttype` `application/json`       |
 * | `additional_fields`                  | one attribute each; fields that cannot be attributes:   |
 * |                                      | as JSON text in `additionalfields`                      |
 * | `unknownKeys`                        | JSON text in `unknownkeys`                              |
 * | every other key                      | extension of its name in lower case without `_`; lists  |
 * |                                      | as JSON text, integers beyond 32 bits as their digits   |
 *
 * Attributes of foreign events that the envelope has no key for (`dataschema`, extensions, another
 * `datacontenttype`) become additional fields, and become attributes again on the way back. So does a
 * foreign `source`; its namespace is then the extension `namespace`. If `timestamp` is not the second
 * of `timestampUnixNano`, or is not a time, both are carried as extensions of these names.
 */

import {
  type Attributes,
  definedOnly,
  fromAttribute,
  fromObjectText,
  isAttributeName,
  isAttributeValue,
  parseAttributes,
  toAttribute,
  toObjectText,
} from './cloudevent-attributes.js';
import { type EventEnvelope, envelopeFields, type JsonObject } from './envelope.js';
import { PlatformError } from './errors.js';
import { parseEnvelope } from './parse-envelope.js';
import { isRfc3339, parseNanoTimestamp, toNanoTimestamp, toTimestamp } from './timestamps.js';

/** One event in the JSON format of CloudEvents 1.0. Media type: `application/cloudevents+json`. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  /** RFC 3339. */
  readonly time?: string;
  readonly datacontenttype?: string;
  readonly data?: object;
  /** Extensions: a string, a boolean, or an integer of 32 bits. */
  readonly [attribute: string]: unknown;
}

/** The two attributes that follow from the envelope, unless additional fields override them. */
interface Implied {
  readonly source: string;
  readonly datacontenttype: string | undefined;
}

/** Envelope keys that are carried by one attribute each. */
const attributeOf = {
  id: 'id',
  name: 'type',
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

const mappedKeys = Object.keys(attributeOf) as (keyof typeof attributeOf)[];

/** Attribute names that are not available to additional fields. */
const reservedNames: ReadonlySet<string> = new Set([
  ...Object.values(attributeOf),
  ...['specversion', 'time', 'data', 'data_base64'],
  ...['namespace', 'timestamp', 'timestampunixnano', 'additionalfields', 'unknownkeys'],
]);

const sourcePrefix = '/namespaces/';

/**
 * Converts an envelope to a CloudEvent; the table is at the top of this file. Write the result with
 * `stringifyExactJson` if the payload may contain bigints.
 * @throws PlatformError `ENVELOPE_INVALID` if id or name is empty, which CloudEvents forbids
 */
export function toCloudEvent(envelope: EventEnvelope<object>): CloudEvent {
  const { id, name, namespace, payload, unknownKeys } = envelope;
  if (id === '' || name === '') {
    throw new PlatformError('ENVELOPE_INVALID', 'a CloudEvent needs an id and a name');
  }
  const implied = impliedBy(namespace, payload);
  const extensions = toExtensions(envelope.additional_fields, implied);
  const plain = mappedKeys.map((key) => [attributeOf[key], toAttribute(envelope[key])]);
  return definedOnly({
    specversion: '1.0',
    id,
    source: implied.source,
    type: name,
    ...toTime(envelope),
    datacontenttype: implied.datacontenttype,
    ...Object.fromEntries(plain),
    ...extensions,
    namespace: extensions.source === undefined ? undefined : namespace,
    unknownkeys: unknownKeys && toObjectText(unknownKeys),
    data: payload,
  }) as CloudEvent;
}

/**
 * Converts a parsed CloudEvent, ours or foreign, to an envelope. The default of `version` is 1.
 * @throws PlatformError `ENVELOPE_INVALID` if it is not a CloudEvent 1.0, an attribute has the wrong
 *   type, or the data is not a JSON object
 */
export function fromCloudEvent(event: unknown): EventEnvelope {
  const attributes = parseAttributes(event);
  const plain = mappedKeys.map((key) => [
    key,
    fromAttribute(attributes[attributeOf[key]] ?? null, envelopeFields[key]),
  ]);
  const envelope = parseEnvelope({
    ...Object.fromEntries(plain),
    namespace: attributes.namespace ?? namespaceOf(attributes.source) ?? null,
    ...fromTime(attributes),
    version: fromAttribute(attributes.version ?? 1, 'integer'),
    payload: attributes.data ?? null,
  });
  const additional = fromExtensions(attributes, impliedBy(envelope.namespace, envelope.payload));
  const unknownKeys = fromObjectText(attributes, 'unknownkeys');
  return {
    ...envelope,
    ...(additional && { additional_fields: additional }),
    ...(unknownKeys && { unknownKeys }),
  };
}

/**
 * Returns the `source` of the envelope as a CloudEvent. Ids are unique within a source.
 * @throws PlatformError `ENVELOPE_INVALID` if the namespace cannot be encoded in UTF-8
 */
export function sourceOf({ namespace, additional_fields }: EventEnvelope<object>): string {
  const foreign = additional_fields?.source;
  return typeof foreign === 'string' ? foreign : impliedBy(namespace, undefined).source;
}

function impliedBy(namespace: string, payload: object | undefined): Implied {
  if (!namespace.isWellFormed()) {
    throw new PlatformError('ENVELOPE_INVALID', 'the namespace contains half of a surrogate pair');
  }
  return {
    source: sourcePrefix + encodeURIComponent(namespace),
    datacontenttype: payload && 'application/json',
  };
}

function namespaceOf(source: string): string | undefined {
  if (!source.startsWith(sourcePrefix)) return undefined;
  try {
    return decodeURIComponent(source.slice(sourcePrefix.length));
  } catch {
    return undefined; // Percent signs that encode nothing: a foreign source.
  }
}

/** Returns `time` alone if it carries both keys exactly, else also extensions for these keys. */
function toTime({ timestamp, timestampUnixNano }: EventEnvelope<object>): Attributes {
  if (timestampUnixNano === undefined) {
    const plain = isRfc3339(timestamp) && parseNanoTimestamp(timestamp) === undefined;
    return plain ? { time: timestamp } : { timestamp: timestamp || undefined };
  }
  const time = toNanoTimestamp(timestampUnixNano);
  if (timestamp === toTimestamp(timestampUnixNano)) return { time };
  return {
    time,
    timestamp: timestamp || undefined,
    timestampunixnano: timestampUnixNano.toString(),
  };
}

function fromTime(attributes: Attributes): Attributes {
  const { time } = attributes;
  const timestampUnixNano = fromAttribute(attributes.timestampunixnano, 'nanoseconds');
  if (timestampUnixNano !== undefined || attributes.timestamp !== undefined) {
    return definedOnly({ timestamp: attributes.timestamp, timestampUnixNano });
  }
  const unixNano = typeof time === 'string' ? parseNanoTimestamp(time) : undefined;
  if (unixNano === undefined) return { timestamp: time ?? '' };
  return { timestamp: toTimestamp(unixNano), timestampUnixNano: unixNano };
}

/** Converts additional fields to attributes where possible, and the others to JSON text. */
function toExtensions(fields: JsonObject | undefined, implied: Implied): Attributes {
  if (fields === undefined) return {};
  const entries = Object.entries(fields);
  const isCarried = ([name, value]: [string, unknown]): boolean =>
    isAttributeValue(value) &&
    (isImplied(name)
      ? value !== '' && value !== implied[name] && typeof value === 'string'
      : isAttributeName(name) && !reservedNames.has(name));
  const carried = entries.filter(isCarried);
  const rest = entries.filter((entry) => !isCarried(entry));
  if (carried.length > 0 && rest.length === 0) return Object.fromEntries(carried);
  const additionalfields = toObjectText(Object.fromEntries(rest));
  return { ...Object.fromEntries(carried), additionalfields };
}

function fromExtensions(attributes: Attributes, implied: Implied): JsonObject | undefined {
  const carried = Object.entries(attributes).filter(([name, value]) =>
    isImplied(name) ? value !== implied[name] : !reservedNames.has(name),
  );
  const rest = fromObjectText(attributes, 'additionalfields');
  if (carried.length === 0) return rest;
  return Object.fromEntries([...Object.entries(rest ?? {}), ...carried]) as JsonObject;
}

function isImplied(name: string): name is keyof Implied {
  return name === 'source' || name === 'datacontenttype';
}

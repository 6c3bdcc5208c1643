/**
 * Conversion of the event envelope to CloudEvents 1.0 in JSON, and back. Both ways are without loss:
 * an envelope becomes the same envelope again, and a foreign event the same event.
 *
 * | envelope                             | CloudEvents attribute                                   |
 * | ------------------------------------ | ------------------------------------------------------- |
 * | `id`                                 | `id`                                                    |
 * | `name`                               | `type`                                                  |
 * | `namespace`                          | `source`: `/namespaces/<namespace>`, percent-encoded    |
 * | `userId`                             | `subject`                                               |
 * | `timestamp` and `timestampUnixNano`  | `time`: with nine digits of a second                    |
 * | `payload`                            | `data`, with `datacontenttype` `application/json`       |
 * | `version`                            | `version`, if it is not 1                               |
 * | `additional_fields`                  | one attribute each; fields that cannot be attributes:   |
 * |                                      | as JSON text in `additionalfields`                      |
 * | `unknownKeys`                        | JSON text in `unknownkeys`                              |
 * | every other key                      | extension of its name in lower case without `_`; lists  |
 * |                                      | as JSON text, integers beyond 32 bits as their digits   |
 * | a key whose value no attribute can   | JSON text in `envelopekeys`                             |
 * | have: a name or namespace outside    |                                                         |
 * | the name rule, control characters, a |                                                         |
 * | `timestamp` alone                    |                                                         |
 *
 * Attributes of foreign events that the envelope has no key for (`dataschema`, extensions, another
 * `datacontenttype`) become additional fields, and become attributes again on the way back. So does a
 * foreign `source`; its namespace is then the extension `namespace`. If `timestamp` and
 * `timestampUnixNano` are not of the same moment, both are carried as extensions.
 * original.ts describes what is kept beside the envelope, in the additional field `cloudevent`.
 */

import type { EventEnvelope, JsonValue } from '../envelope.js';
import { PlatformError } from '../errors/errors.js';
import { type Attributes, type EventParts, parseEventParts } from './attributes.js';
import { toAttributes } from './envelope-attributes.js';
import { foreignSource, jsonAttributes, ownSource } from './extensions.js';
import { isSameJson } from './json-attributes.js';
import {
  type EventData,
  originalType,
  readOriginal,
  restoreAttributes,
  toWholeEnvelope,
  withoutOriginal,
  wrappedData,
} from './original.js';

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
  /** JSON of any kind, or text if `datacontenttype` is no JSON. */
  readonly data?: unknown;
  /** Data that is bytes, in base64. */
  readonly data_base64?: string;
  /** Extensions: text, a boolean, or an integer of 32 bits. */
  readonly [attribute: string]: unknown;
}

/**
 * Converts an envelope to a CloudEvent; the table is at the top of this file. Write the result with
 * `stringifyExactJson` if the payload may contain bigints.
 * @throws PlatformError `ENVELOPE_INVALID` if id or name is empty, which CloudEvents forbids
 */
export function toCloudEvent(envelope: EventEnvelope<object>): CloudEvent {
  if (envelope.id === '' || envelope.name === '') {
    throw new PlatformError('ENVELOPE_INVALID', 'a CloudEvent needs an id and a name');
  }
  const payload = { data: envelope.payload as JsonValue | undefined, base64: undefined };
  return restoreOriginal(envelope) ?? toEvent(toAttributes(envelope, false), payload);
}

/**
 * Converts a parsed CloudEvent, ours or foreign, to an envelope. What the envelope cannot hold is in
 * the additional field `cloudevent`. The default of `version` is 1.
 * @throws PlatformError `ENVELOPE_INVALID` with `details.field` if it is not a CloudEvent 1.0
 */
export function fromCloudEvent(event: unknown): EventEnvelope {
  const parts = parseEventParts(event);
  if (jsonAttributes.every((name) => parts.attributes[name] === undefined)) {
    return toWholeEnvelope(parts, false);
  }
  return readOwnEvent(parts) ?? toWholeEnvelope(parts, false);
}

/**
 * Returns the `source` of the envelope as a CloudEvent. Ids are unique within a source.
 * @throws PlatformError `ENVELOPE_INVALID` if the namespace cannot be encoded in UTF-8
 */
export function sourceOf(envelope: EventEnvelope<object>): string {
  return foreignSource(envelope) ?? ownSource(envelope.namespace);
}

/** Returns the `type` of the envelope as a CloudEvent: the one that its name is derived from, else the name. */
export function eventTypeOf(envelope: EventEnvelope<object>): string {
  if (envelope.additional_fields === undefined) return envelope.name;
  return originalType(envelope) ?? envelope.name;
}

/**
 * Returns the data of the envelope as a CloudEvent: JSON of any kind, text, or for bytes their base64.
 * Undefined: the event has none.
 */
export function eventDataOf(envelope: EventEnvelope<object>): JsonValue | undefined {
  const { payload, additional_fields } = envelope;
  const wrapped = additional_fields === undefined ? undefined : wrappedData(envelope);
  if (wrapped !== undefined) return wrapped.base64 ?? wrapped.data;
  return payload as JsonValue | undefined;
}

/** Returns the event that the envelope was made of, if it still is exactly this one. */
function restoreOriginal(envelope: EventEnvelope<object>): CloudEvent | undefined {
  const original = readOriginal(envelope);
  if (original === undefined) return undefined;
  const wrapped = original.data && wrappedData(envelope);
  const data = wrapped ?? { data: envelope.payload as JsonValue | undefined, base64: undefined };
  const written = toAttributes(withoutOriginal(envelope), wrapped !== undefined);
  const event = toEvent(restoreAttributes(written, original), data);
  const isForeign = jsonAttributes.some((name) => original.attributes?.[name] !== undefined);
  return isSameJson(tryEnvelope(event, !isForeign), envelope) ? event : undefined;
}

/** Returns the envelope of a CloudEvent that `toCloudEvent` made; undefined for any other. */
function readOwnEvent(parts: EventParts): EventEnvelope | undefined {
  const event = toEvent(parts.attributes, parts);
  const envelope = tryEnvelope(event, true);
  return envelope && isSameJson(toCloudEvent(envelope), event) ? envelope : undefined;
}

function tryEnvelope(event: CloudEvent, trustsJson: boolean): EventEnvelope | undefined {
  try {
    return toWholeEnvelope(parseEventParts(event), trustsJson);
  } catch (error) {
    if (error instanceof PlatformError) return undefined;
    throw error;
  }
}

function toEvent(
  attributes: Attributes | Readonly<Record<string, unknown>>,
  { data, base64 }: EventData,
): CloudEvent {
  return {
    ...attributes,
    ...(data !== undefined && { data }),
    ...(base64 !== undefined && { data_base64: base64 }),
  } as unknown as CloudEvent;
}

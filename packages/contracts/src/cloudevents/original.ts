/**
 * The parts of a CloudEvent that the envelope cannot hold, in the additional field `cloudevent`:
 *
 * | member       | when                                              | value                          |
 * | ------------ | ------------------------------------------------- | ------------------------------ |
 * | `type`       | the type is no valid name of an event             | the type; `name` is derived    |
 * | `time`       | the text is not the one that is written by itself | the text                       |
 * | `data`       | the data is no JSON object, or an empty one       | `wrapped`: the payload is      |
 * |              |                                                   | `{"data": …}`, or for bytes    |
 * |              |                                                   | `{"data_base64": …}`           |
 * | `attributes` | an attribute is not the one that is written       | the attributes by name; null   |
 * |              |                                                   | for one that the event has not |
 *
 * The field counts only if the envelope with it is exactly what its CloudEvent becomes. A publisher
 * may have changed the envelope, or may have a field of this name for something else.
 */

import type { EventEnvelope, JsonObject, JsonValue } from '../envelope.js';
import { isJsonObject } from '../parse-envelope.js';
import { type Attributes, type EventParts, isBase64 } from './attributes.js';
import { fromAttributes, toAttributes } from './envelope-attributes.js';
import { isEventName, toEventName } from './event-name.js';
import { originalField } from './extensions.js';

/** Value of the additional field `cloudevent`. */
export interface Original {
  readonly type?: string;
  readonly time?: string;
  readonly data?: 'wrapped';
  readonly attributes?: JsonObject;
}

/** Data of an event in the two members of the JSON format. */
export type EventData = Pick<EventParts, 'data' | 'base64'>;

const memberNames: ReadonlySet<string> = new Set(['type', 'time', 'data', 'attributes']);

/** Returns the original parts in an envelope; undefined if there are none of this form. */
export function readOriginal(envelope: EventEnvelope<object>): Original | undefined {
  const field = envelope.additional_fields?.[originalField];
  if (!isJsonObject(field)) return undefined;
  const { type, time, data, attributes } = field;
  const isValid =
    Object.keys(field).every((name) => memberNames.has(name)) &&
    (type === undefined || originalType(envelope) !== undefined) &&
    (time === undefined || typeof time === 'string') &&
    (data === undefined || wrappedData(envelope) !== undefined) &&
    (attributes === undefined || isJsonObject(attributes));
  return isValid ? (field as Original) : undefined;
}

/** Returns the envelope without the additional field of its original. */
export function withoutOriginal(envelope: EventEnvelope<object>): EventEnvelope<object> {
  const { additional_fields = {}, ...rest } = envelope;
  const { [originalField]: _, ...fields } = additional_fields;
  return Object.keys(fields).length > 0 ? { ...rest, additional_fields: fields } : rest;
}

/** Returns the type that the name is derived from; undefined if the name is the type. */
export function originalType({
  name,
  additional_fields,
}: EventEnvelope<object>): string | undefined {
  const field = additional_fields?.[originalField];
  if (!isJsonObject(field) || typeof field.type !== 'string') return undefined;
  return !isEventName(field.type) && toEventName(field.type) === name ? field.type : undefined;
}

/** Returns the data that the payload wraps; undefined if the payload itself is the data. */
export function wrappedData({
  payload,
  additional_fields,
}: EventEnvelope<object>): EventData | undefined {
  const field = additional_fields?.[originalField];
  if (!isJsonObject(field) || field.data !== 'wrapped' || !isJsonObject(payload)) return undefined;
  const [name, ...others] = Object.keys(payload);
  if (others.length > 0) return undefined;
  const { data, data_base64 } = payload;
  if (name === 'data_base64' && isBase64(data_base64))
    return { data: undefined, base64: data_base64 };
  const isWrapped = name === 'data' && (!isJsonObject(data) || Object.keys(data).length === 0);
  return isWrapped ? { data, base64: undefined } : undefined;
}

/** Returns the attributes of the event with these original parts. */
export function restoreAttributes(
  written: Attributes,
  { type, time, attributes }: Original,
): Readonly<Record<string, unknown>> {
  const restored = {
    ...written,
    ...(type !== undefined && { type }),
    ...(time !== undefined && { time }),
    ...attributes,
  };
  return Object.fromEntries(Object.entries(restored).filter(([, value]) => value !== null));
}

/**
 * Converts the parts of a CloudEvent to an envelope that holds all of them.
 * @param trustsJson as for `fromAttributes`
 * @throws PlatformError `ENVELOPE_INVALID` as `fromAttributes`
 */
export function toWholeEnvelope(parts: EventParts, trustsJson: boolean): EventEnvelope {
  const envelope = fromAttributes(parts, trustsJson);
  const isWrapped = envelope.payload !== undefined && envelope.payload !== parts.data;
  const original = toOriginal(parts.attributes, toAttributes(envelope, isWrapped), isWrapped);
  if (original === undefined) return envelope;
  return {
    ...envelope,
    additional_fields: { ...envelope.additional_fields, [originalField]: original },
  };
}

/** Returns what differs between the attributes of an event and those written for its envelope. */
function toOriginal(
  given: Attributes,
  written: Attributes,
  isWrapped: boolean,
): JsonObject | undefined {
  const original: Record<string, JsonValue> = {};
  const attributes: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === written[name]) continue;
    if (name === 'type' || name === 'time') original[name] = value;
    else attributes[name] = value;
  }
  for (const name of Object.keys(written)) if (!Object.hasOwn(given, name)) attributes[name] = null;
  if (isWrapped) original.data = 'wrapped';
  if (Object.keys(attributes).length > 0) original.attributes = attributes;
  return Object.keys(original).length > 0 ? original : undefined;
}

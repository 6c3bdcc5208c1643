/** Conversion of single values between the envelope and CloudEvents attributes. */

import type { EnvelopeFieldKind, JsonObject } from './envelope.js';
import { PlatformError } from './errors.js';
import { parseInt64, parseJsonWithBigints, stringifyExactJson } from './exact-json.js';

/** Attributes of a CloudEvent by name. */
export type Attributes = Readonly<Record<string, unknown>>;

const namePattern = /^[a-z0-9]+$/;
const controlCharacter = /\p{Cc}/u;

/**
 * Returns the attributes of a parsed CloudEvent. Those that are null count as absent.
 * @throws PlatformError `ENVELOPE_INVALID` if it is not a CloudEvent 1.0
 */
export function parseAttributes(event: unknown): Attributes & { readonly source: string } {
  const attributes = isObject(event) ? definedOnly(event) : {};
  const { specversion, id, source, type } = attributes;
  if (specversion !== '1.0') {
    throw new PlatformError('ENVELOPE_INVALID', 'the event is not a CloudEvent of version 1.0');
  }
  if (!isText(id)) throw invalidAttribute('id', 'a string that is not empty');
  if (!isText(source)) throw invalidAttribute('source', 'a string that is not empty');
  if (!isText(type)) throw invalidAttribute('type', 'a string that is not empty');
  if (attributes.data_base64 !== undefined)
    throw invalidAttribute('data_base64', 'supported: use data');
  return { ...attributes, source };
}

/** Converts a value of the envelope to an attribute. Integers beyond 32 bits and lists become text. */
export function toAttribute(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !isInt32(value)) return value.toString();
  return Array.isArray(value) ? JSON.stringify(value) : value;
}

/**
 * Converts an attribute back to a value of the envelope. A value of another kind is returned
 * unchanged, so that the check of the envelope refuses it.
 */
export function fromAttribute(value: unknown, kind: EnvelopeFieldKind): unknown {
  if (typeof value !== 'string') return value;
  if (kind === 'integer' || kind === 'nanoseconds') return parseInt64(value) ?? value;
  return kind === 'strings' ? parseJson(value) : value;
}

/** True if CloudEvents allows an extension with this name. */
export function isAttributeName(name: string): boolean {
  return namePattern.test(name);
}

/** True if CloudEvents allows the value: a boolean, an integer of 32 bits, or text without control characters. */
export function isAttributeValue(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !controlCharacter.test(value);
  return typeof value === 'boolean' || isInt32(value);
}

/** Converts a JSON object to the text of one attribute. */
export function toObjectText(object: JsonObject): string {
  return stringifyExactJson(object);
}

/**
 * Parses the attribute `name` as the text of a JSON object. Returns undefined if it is absent.
 * @throws PlatformError `ENVELOPE_INVALID` for any other value
 */
export function fromObjectText(attributes: Attributes, name: string): JsonObject | undefined {
  const text = attributes[name];
  if (text === undefined) return undefined;
  const object = typeof text === 'string' ? parseJson(text) : undefined;
  if (isObject(object)) return object;
  throw invalidAttribute(name, 'the text of a JSON object');
}

/** Returns the fields that are neither undefined nor null. */
export function definedOnly(fields: object): Attributes {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  );
}

/** Parses JSON text, or returns the text itself if it is not JSON. */
function parseJson(text: string): unknown {
  try {
    return parseJsonWithBigints(text);
  } catch {
    return text; // The wrong kind in any case: callers expect an object or a list, and refuse text.
  }
}

function invalidAttribute(name: string, expected: string): PlatformError {
  return new PlatformError('ENVELOPE_INVALID', `the attribute ${name} is not ${expected}`, {
    details: { field: name },
  });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isInt32(value: unknown): boolean {
  return typeof value === 'number' && (value | 0) === value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How single values of the envelope are written as CloudEvents attributes, and read from them. */

import type { EnvelopeFieldKind, JsonObject } from './envelope.js';
import { PlatformError } from './errors.js';
import { parseInt64, parseJsonWithBigints, stringifyExactJson } from './exact-json.js';

export type Attributes = Readonly<Record<string, unknown>>;

const namePattern = /^[a-z0-9]+$/;
const controlCharacter = /\p{Cc}/u;

/** The attributes of a parsed CloudEvent; those that are null count as absent. */
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
    throw invalidAttribute('data_base64', 'taken: use data');
  return { ...attributes, source };
}

/** A value of the envelope as one attribute: an integer of 32 bits stays one, larger ones are text. */
export function toAttribute(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !isInt32(value)) return value.toString();
  return Array.isArray(value) ? JSON.stringify(value) : value;
}

/** The reverse of `toAttribute`. What is of another kind comes back as it is, to be refused. */
export function fromAttribute(value: unknown, kind: EnvelopeFieldKind): unknown {
  if (typeof value !== 'string') return value;
  if (kind === 'integer' || kind === 'nanoseconds') return parseInt64(value) ?? value;
  return kind === 'strings' ? parseJson(value) : value;
}

/** Whether CloudEvents takes an extension of this name. */
export function isAttributeName(name: string): boolean {
  return namePattern.test(name);
}

/** Whether CloudEvents takes the value as it is: a boolean, 32 bits, or clean text. */
export function isAttributeValue(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !controlCharacter.test(value);
  return typeof value === 'boolean' || isInt32(value);
}

/** A JSON object that travels as the text of one attribute. */
export function toObjectText(object: JsonObject): string {
  return stringifyExactJson(object);
}

export function fromObjectText(attributes: Attributes, name: string): JsonObject | undefined {
  const text = attributes[name];
  if (text === undefined) return undefined;
  const object = typeof text === 'string' ? parseJson(text) : undefined;
  if (isObject(object)) return object;
  throw invalidAttribute(name, 'the text of a JSON object');
}

/** The fields that are neither undefined nor null. */
export function definedOnly(fields: object): Attributes {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  );
}

/** The parsed text, or the text itself when it is no JSON. */
function parseJson(text: string): unknown {
  try {
    return parseJsonWithBigints(text);
  } catch {
    return text; // Of the wrong kind whatever it is: who asked for an object or a list refuses it.
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

/** Attributes of CloudEvents: their names and values, and the parts of a parsed event. */

import type { JsonValue } from '../envelope.js';
import { PlatformError } from '../errors/errors.js';
import { JsonNumber, parseInt64 } from '../exact-json.js';
import { isJsonObject } from '../parse-envelope.js';
import { isTime } from './event-time.js';

/** Value of an attribute: text without control characters, a boolean, an integer of 32 bits. */
export type AttributeValue = string | number | boolean;

/** Attributes of a CloudEvent by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A CloudEvent in its parts. */
export interface EventParts {
  readonly attributes: Attributes & {
    readonly id: string;
    readonly source: string;
    readonly type: string;
  };
  /** JSON data, null included. Undefined: there is none, or `base64` has it. */
  readonly data: JsonValue | undefined;
  /** Data that is bytes, in base64. */
  readonly base64: string | undefined;
}

const namePattern = /^[a-z0-9]+$/;
const controlCharacter = /\p{Cc}/u;
const shownLength = 64;

/** Attributes of the specification that may be left out. Empty text counts as left out. */
const optionalTexts: ReadonlySet<string> = new Set([
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
]);
const requiredTexts = ['id', 'source', 'type'] as const;

/** Attributes of envelope keys with 64 bits. As numbers they are accepted beyond 32 bits too. */
const longIntegers: ReadonlySet<string> = new Set([
  'version',
  'eventid',
  'eventtype',
  'eventlevel',
]);

/**
 * Checks a parsed CloudEvent and returns its parts. Attributes that are null count as absent.
 * @throws PlatformError `ENVELOPE_INVALID` with `details.field` if it is not a CloudEvent 1.0
 */
export function parseEventParts(event: unknown): EventParts {
  if (!isJsonObject(event)) throw invalid('specversion', 'the event is not a JSON object');
  const { data, data_base64, ...members } = event as Readonly<Record<string, JsonValue>>;
  checkVersion(members.specversion);
  const given: [string, AttributeValue][] = [];
  for (const [name, value] of Object.entries(members)) {
    if (value === null || value === undefined) continue;
    if (value !== '' || !optionalTexts.has(name)) given.push([name, parseAttribute(name, value)]);
  }
  // fromEntries, because assigning to the key `__proto__` would not define a key.
  const attributes = Object.fromEntries(given);
  for (const name of requiredTexts) {
    if (attributes[name] === undefined) throw invalid(name, `the attribute ${name} is missing`);
    if (attributes[name] === '') throw invalid(name, `the attribute ${name} is empty`);
  }
  if (attributes.time !== undefined && !isTime(String(attributes.time))) {
    throw invalidAttribute('time', 'a timestamp of RFC 3339');
  }
  return { attributes: attributes as EventParts['attributes'], ...parseData(data, data_base64) };
}

function checkVersion(version: unknown): void {
  if (version === '1.0') return;
  const text = typeof version === 'string' ? `'${version.slice(0, shownLength)}'` : typeof version;
  const fault = version === undefined || version === null ? 'is missing' : `is ${text}`;
  throw invalid('specversion', `the attribute specversion ${fault}; only '1.0' is supported`);
}

function parseAttribute(name: string, given: unknown): AttributeValue {
  if (!isAttributeName(name)) {
    const shown = name.slice(0, shownLength);
    const rule = 'names of attributes have only the letters a to z and digits';
    throw invalid(shown, `the attribute name '${shown}' is not allowed; ${rule}`);
  }
  const value = longIntegers.has(name) ? toInteger(given) : given;
  if (!isAttributeValue(value)) {
    const shown = name.slice(0, shownLength);
    if (typeof value === 'string') {
      throw invalidAttribute(shown, 'text without control characters and half surrogate pairs');
    }
    throw invalidAttribute(shown, 'text, a boolean or an integer of 32 bits');
  }
  if (typeof value !== 'string' && isContextText(name)) throw invalidAttribute(name, 'text');
  return value;
}

function isContextText(name: string): boolean {
  return optionalTexts.has(name) || (requiredTexts as readonly string[]).includes(name);
}

/** Converts a number of 64 bits to an attribute: beyond 32 bits to the text of its digits. */
function toInteger(value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || isInt32(value)) return value;
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  if (!isNumber && !(value instanceof JsonNumber)) return value;
  const integer = parseInt64(String(value));
  if (integer === undefined) return value;
  return isInt32(Number(integer)) ? Number(integer) : String(integer);
}

function parseData(
  data: JsonValue | undefined,
  base64: JsonValue | undefined,
): Pick<EventParts, 'data' | 'base64'> {
  if (base64 === undefined || base64 === null) return { data, base64: undefined };
  if (data !== undefined) {
    throw invalid('data_base64', 'the event has both data and data_base64; send one of them');
  }
  if (!isBase64(base64)) throw invalid('data_base64', 'data_base64 is not the text of base64');
  return { data, base64 };
}

/** True if the value is base64 with its padding, as RFC 4648 §4 has it. */
export function isBase64(value: unknown): value is string {
  if (typeof value !== 'string' || value.length % 4 !== 0) return false;
  return !/[^A-Za-z0-9+/]/.test(value.replace(/={1,2}$/, ''));
}

/** True if CloudEvents allows an attribute with this name. */
export function isAttributeName(name: string): boolean {
  return namePattern.test(name);
}

/** True if CloudEvents allows the value: a boolean, an integer of 32 bits, or text without control characters. */
export function isAttributeValue(value: unknown): value is AttributeValue {
  if (typeof value === 'string') return value.isWellFormed() && !controlCharacter.test(value);
  return typeof value === 'boolean' || isInt32(value);
}

/** True if the number is an integer of 32 bits. */
export function isInt32(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value && !Object.is(value, -0);
}

function invalidAttribute(name: string, expected: string): PlatformError {
  return invalid(name, `the attribute ${name} is not ${expected}`);
}

/** Creates the error of an event that is no CloudEvent, with the field that is wrong. */
export function invalid(field: string, message: string, cause?: unknown): PlatformError {
  return new PlatformError('ENVELOPE_INVALID', message, { cause, details: { field } });
}

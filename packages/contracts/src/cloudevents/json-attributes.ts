/** JSON values as the text of one attribute. */

import type { JsonObject } from '../envelope.js';
import {
  JsonNumber,
  parseJsonWithBigints,
  parseJsonWithDigits,
  stringifyExactJson,
} from '../exact-json.js';
import { isJsonObject } from '../parse-envelope.js';

/** Control characters that JSON does not escape by itself. Attributes must have none. */
const plainControls = /[\u007f-\u009f]/g;

/** Converts a JSON value to text that an attribute can have. */
export function toJsonText(value: unknown): string {
  return stringifyExactJson(value).replace(
    plainControls,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Parses an attribute that `toJsonText` wrote. Returns undefined if it is not JSON. */
export function parseJsonText(text: unknown): unknown {
  if (typeof text !== 'string') return undefined;
  try {
    const value = parseJsonWithBigints(text);
    // Numbers with a fraction lose zeros at the end, and only in such a text are digits needed.
    return toJsonText(value) === text ? value : parseJsonWithDigits(text);
  } catch {
    return undefined;
  }
}

/** Parses an attribute that `toJsonText` wrote of an object. Returns undefined for any other. */
export function parseObjectText(text: unknown): JsonObject | undefined {
  const value = parseJsonText(text);
  return isJsonObject(value) ? value : undefined;
}

/** True if two values are the same JSON, with the same digits. Members that are undefined are absent. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof JsonNumber || b instanceof JsonNumber) return String(a) === String(b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = definedEntries(a);
  if (left.length !== definedEntries(b).length) return false;
  return left.every(
    ([key, value]) =>
      Object.hasOwn(b, key) && isSameJson(value, (b as Readonly<Record<string, unknown>>)[key]),
  );
}

function definedEntries(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, member]) => member !== undefined);
}

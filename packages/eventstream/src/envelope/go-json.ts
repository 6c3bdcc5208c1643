/**
 * Writes JSON byte for byte as Go's `encoding/json` does: keys sorted by their UTF-8 bytes, and
 * `<`, `>`, `&`, U+2028 and U+2029 escaped. Numbers need no care: both languages write the same
 * shortest digits, except for -0. A `JsonNumber` keeps its digits. As in `JSON.stringify`, `toJSON`
 * is called, and members that are undefined are left out. Values whose contents would be lost are
 * refused, as Go refuses functions.
 *
 * This runs for every member of every payload. Most texts and keys are plain ASCII, and for a short
 * text a loop costs less than a regular expression.
 */

import { types } from 'node:util';
import { type EnvelopeKey, JsonNumber, PlatformError } from '@posthaste/contracts';

/**
 * Deepest nesting that is written: Go's decoder has a limit too, and a value may contain itself.
 */
export const maxDepth = 1_000;

const maxLoopLength = 24;
const maxInsertions = 32;
/** Characters to escape: controls, `"`, `&`, `<`, `>`, `\\`, line separators, surrogates. */
const needsEscape = /[^ !#-%'-;=?-[\]-\u2027\u202a-\ud7ff\ue000-\uffff]/;
const escapedByGoOnly = /[<>&\u2028\u2029]/g;

/** 1 for each ASCII character that needs no escape. */
const isPlainAscii: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) =>
  needsEscape.test(String.fromCharCode(code)) ? 0 : 1,
);

/** Returns the text as a JSON string. A lone surrogate becomes U+FFFD. */
export function toGoString(text: string): string {
  const isPlain = text.length > maxLoopLength ? !needsEscape.test(text) : isPlainText(text);
  return isPlain ? `"${text}"` : toEscaped(text);
}

/**
 * Returns any value as JSON. `field` is only used in the error.
 * @throws PlatformError `ENVELOPE_INVALID` with `details.field` for a number that is not finite, a
 *   bigint or `JsonNumber` beyond the range of a float64 (Go would drop the record), a function, a
 *   symbol, undefined, a Map, a Set, an Error or another object whose contents are no members, or a
 *   value deeper than `maxDepth`
 */
export function toGoJson(value: unknown, field: EnvelopeKey | 'unknownKeys'): string {
  return writeValue(value, { field, key: '' }, 0);
}

/** Position of the writer, for errors. One object per value, not one per level. */
interface Position {
  readonly field: string;
  /** Last key that was written. */
  key: string;
}

function writeValue(value: unknown, position: Position, depth: number): string {
  switch (typeof value) {
    case 'string':
      return toGoString(value);
    case 'number':
      if (Number.isFinite(value)) return value === 0 && 1 / value < 0 ? '-0' : String(value);
      break;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'bigint':
      if (Number.isFinite(Number(value))) return value.toString();
      break;
    case 'object':
      if (value === null) return 'null';
      if (depth < maxDepth) return writeContainer(value, position, depth + 1);
      break;
    case 'undefined':
    case 'function':
    case 'symbol':
      break;
  }
  throw unwritable(value, position);
}

function writeContainer(value: object, position: Position, depth: number): string {
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') {
    // Asked only here, because most objects have no toJSON.
    if (value instanceof JsonNumber) return writeJsonNumber(value, position);
    return writeValue(toJSON.call(value, position.key) ?? null, position, depth);
  }
  if (!Array.isArray(value)) return writeObject(value as Record<string, unknown>, position, depth);
  let text = '';
  for (const item of value) {
    text += text === '' ? '[' : ',';
    text += item === undefined ? 'null' : writeValue(item, position, depth);
  }
  return text === '' ? '[]' : `${text}]`;
}

function writeJsonNumber(number: JsonNumber, position: Position): string {
  if (Number.isFinite(number.valueOf())) return number.text;
  throw unwritable(number, position);
}

function writeObject(
  object: Readonly<Record<string, unknown>>,
  position: Position,
  depth: number,
): string {
  if (hidesContents(object)) throw unwritable(object, position);
  const keys = Object.keys(object);
  const isPlain = arePlain(keys);
  sortKeys(keys, isPlain);
  let text = '';
  for (const key of keys) {
    const member = object[key];
    if (member === undefined) continue;
    position.key = key;
    text += text === '' ? '{' : ',';
    text += isPlain ? `"${key}":` : `${toEscaped(key)}:`;
    text += writeValue(member, position, depth);
  }
  return text === '' ? '{}' : `${text}}`;
}

/** True if the contents of the object are not its members: they would be lost. */
function hidesContents(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === Object.prototype || prototype === null || Array.isArray(object)) return false;
  return (
    types.isMap(object) ||
    types.isSet(object) ||
    types.isWeakMap(object) ||
    types.isWeakSet(object) ||
    types.isPromise(object) ||
    types.isRegExp(object) ||
    types.isBoxedPrimitive(object) ||
    types.isAnyArrayBuffer(object) ||
    types.isDataView(object) ||
    types.isNativeError(object) ||
    // An iterator, or a collection such as Headers.
    (Symbol.iterator in object && Object.keys(object).length === 0 && !ArrayBuffer.isView(object))
  );
}

function arePlain(keys: readonly string[]): boolean {
  for (const key of keys) {
    if (!isPlainText(key)) return false;
  }
  return true;
}

/**
 * True if the text is ASCII without characters to escape. Most other letters need no escape either,
 * but keys with such letters do not sort in JavaScript's order.
 */
function isPlainText(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (isPlainAscii[text.charCodeAt(index)] !== 1) return false;
  }
  return true;
}

/** Sorts keys by their UTF-8 bytes, which is the order of code points. */
function sortKeys(keys: string[], isPlain: boolean): void {
  if (!isPlain) keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  else if (keys.length > maxInsertions) keys.sort();
  else insertionSort(keys);
}

/**
 * Sorts few keys, often in order already, faster than the general sort: most objects have a dozen.
 */
function insertionSort(keys: string[]): void {
  for (let next = 1; next < keys.length; next += 1) {
    const key = keys[next] ?? '';
    let place = next;
    for (; place > 0; place -= 1) {
      const before = keys[place - 1] ?? '';
      if (before <= key) break;
      keys[place] = before;
    }
    keys[place] = key;
  }
}

function toEscaped(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    escapedByGoOnly,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function unwritable(value: unknown, { field, key }: Position): PlatformError {
  const where = key === '' ? field : `${field} at ${JSON.stringify(key)}`;
  const message = `${where} holds ${describe(value)}`;
  return new PlatformError('ENVELOPE_INVALID', message, { details: { field } });
}

function describe(value: unknown): string {
  if (typeof value === 'bigint' || value instanceof JsonNumber) {
    return `${shorten(value.toString())}, which is beyond the range of a float64`;
  }
  return `${nameOf(value)}, which JSON cannot`;
}

function nameOf(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (!hidesContents(value)) return `an object over ${maxDepth} levels deep`;
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
  return /^[AEIOU]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

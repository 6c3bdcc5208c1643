import {
  type EnvelopeFieldKind,
  type EnvelopeKey,
  type EventEnvelope,
  envelopeFields,
  envelopeKeys,
  type Int64,
  type JsonObject,
  type JsonValue,
} from './envelope.js';
import { PlatformError } from './errors/errors.js';
import { isInt64, JsonNumber, parseInt64 } from './exact-json.js';

/** A key of the envelope, with the kind of its value. */
interface Field {
  readonly key: EnvelopeKey;
  readonly kind: EnvelopeFieldKind;
}

const fields: readonly Field[] = envelopeKeys.map((key) => ({ key, kind: envelopeFields[key] }));
const fieldByLowerCase: ReadonlyMap<string, Field> = new Map(
  fields.map((field) => [field.key.toLowerCase(), field]),
);
/** Fields by their usual spelling, which nearly every record has: no lower-case string is made. */
const fieldByKey: ReadonlyMap<string, Field> = new Map(fields.map((field) => [field.key, field]));

/** Keys that an envelope has even if their value is zero. */
const required = { id: '', name: '', namespace: '', timestamp: '', version: 0 } as const;

type EnvelopeDraft = { -readonly [Key in keyof EventEnvelope]: unknown };

/**
 * Converts a parsed JSON object to an envelope. Keys match without regard to case; if two match, the
 * last one wins. null means the zero value, inside a list of strings too. Zero values are left out, except for `id`, `name`,
 * `namespace`, `timestamp` and `version`. Integers beyond 2^53 must be exact, so read the text with
 * `parseExactJson`, `parseJsonWithBigints` or `parseJsonWithDigits`.
 * @throws PlatformError `ENVELOPE_INVALID` that names the field with the wrong type
 */
export function parseEnvelope(record: unknown): EventEnvelope {
  if (!isJsonObject(record)) {
    throw new PlatformError('ENVELOPE_INVALID', 'the event is not a JSON object');
  }
  // One loop with plain assignments, because this runs for every consumed event.
  const envelope: EnvelopeDraft = { ...required };
  const unknown: [string, JsonValue | undefined][] = [];
  for (const key of Object.keys(record)) {
    const field = fieldByKey.get(key) ?? fieldByLowerCase.get(key.toLowerCase());
    if (field === undefined) unknown.push([key, record[key]]);
    else setField(envelope, field, parseField(field, record[key]));
  }
  // fromEntries, because assigning to the key `__proto__` would not define a key.
  if (unknown.length > 0) envelope.unknownKeys = Object.fromEntries(unknown);
  return envelope as EventEnvelope;
}

function setField(envelope: EnvelopeDraft, { key }: Field, value: unknown): void {
  if (!isZero(value)) envelope[key] = value;
  else if (isRequired(key)) envelope[key] = required[key];
  // An earlier spelling of the same key may have set it.
  else if (key in envelope) delete envelope[key];
}

function isRequired(key: EnvelopeKey): key is keyof typeof required {
  return key in required;
}

function parseField({ key, kind }: Field, value: unknown): unknown {
  if (value === null) return undefined;
  const parsed = parseKind(kind, value);
  if (parsed !== undefined) return parsed;
  throw new PlatformError('ENVELOPE_INVALID', `${key} is not ${expected[kind]}`, {
    details: { field: key },
  });
}

const expected: Readonly<Record<EnvelopeFieldKind, string>> = {
  string: 'a string',
  integer: 'an integer of 64 bits',
  nanoseconds: 'an integer of 64 bits',
  boolean: 'true or false',
  strings: 'a list of strings',
  object: 'a JSON object',
};

/** Returns the value converted to its kind, or `undefined` if it is of another kind. */
function parseKind(kind: EnvelopeFieldKind, value: unknown): unknown {
  switch (kind) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'integer':
      return toInt64(value);
    case 'nanoseconds': {
      const integer = toInt64(value);
      return integer === undefined ? undefined : BigInt(integer);
    }
    case 'strings':
      return Array.isArray(value) ? toStrings(value) : undefined;
    case 'object':
      return isJsonObject(value) ? value : undefined;
  }
}

/** Returns the list with `''` for null, as Go reads it; undefined if an item is of another type. */
function toStrings(items: readonly unknown[]): readonly unknown[] | undefined {
  let hasNull = false;
  for (const item of items) {
    if (item === null) hasNull = true;
    else if (typeof item !== 'string') return undefined;
  }
  return hasNull ? items.map((item) => item ?? '') : items;
}

function toInt64(value: unknown): Int64 | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  const integer = value instanceof JsonNumber ? parseInt64(value.text) : value;
  if (typeof integer !== 'bigint' || !isInt64(integer)) return undefined;
  const rounded = Number(integer);
  return Number.isSafeInteger(rounded) ? rounded : integer;
}

function isZero(value: unknown): boolean {
  return value === undefined || value === '' || value === 0 || value === 0n || value === false;
}

/** True for a JSON object: a list, null and a number with digits are none. */
export function isJsonObject(value: unknown): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber)
  );
}

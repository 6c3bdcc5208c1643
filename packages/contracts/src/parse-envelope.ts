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
import { PlatformError } from './errors.js';
import { isInt64 } from './exact-json.js';

const keyByLowerCase: ReadonlyMap<string, EnvelopeKey> = new Map(
  envelopeKeys.map((key) => [key.toLowerCase(), key]),
);

/**
 * The envelope that a parsed JSON object means. Keys match without regard to case, and of two
 * that match the last one wins; null is the zero value, and zero values are left out, apart from
 * `id`, `name`, `namespace`, `timestamp` and `version`. Integers beyond 2^53 must still be exact:
 * read the text with `parseExactJson`.
 * @throws PlatformError `ENVELOPE_INVALID` with the field that has the wrong type
 */
export function parseEnvelope(record: unknown): EventEnvelope {
  if (!isJsonObject(record)) {
    throw new PlatformError('ENVELOPE_INVALID', 'the event is not a JSON object');
  }
  const known: [EnvelopeKey, unknown][] = [];
  const unknown: [string, JsonValue][] = [];
  for (const [key, value] of Object.entries(record)) {
    const field = keyByLowerCase.get(key.toLowerCase());
    if (field === undefined) unknown.push([key, value]);
    else known.push([field, parseField(field, value)]);
  }
  const required = { id: '', name: '', namespace: '', timestamp: '', version: 0 };
  // Zeros are dropped after the last of equal keys has won.
  const given = Object.entries(Object.fromEntries(known)).filter(([, value]) => !isZero(value));
  return {
    ...required,
    ...Object.fromEntries(given),
    // fromEntries defines keys; an assignment of the key `__proto__` would not.
    ...(unknown.length === 0 ? {} : { unknownKeys: Object.fromEntries(unknown) }),
  };
}

function parseField(key: EnvelopeKey, value: unknown): unknown {
  if (value === null) return undefined;
  const parsed = parseKind(envelopeFields[key], value);
  if (parsed !== undefined) return parsed;
  throw new PlatformError('ENVELOPE_INVALID', `${key} is not ${expected[envelopeFields[key]]}`, {
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

/** The value as its kind wants it; `undefined` when it is of another kind. */
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
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
        ? value
        : undefined;
    case 'object':
      return isJsonObject(value) ? value : undefined;
  }
}

function toInt64(value: unknown): Int64 | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'bigint' || !isInt64(value)) return undefined;
  const rounded = Number(value);
  return Number.isSafeInteger(rounded) ? rounded : value;
}

function isZero(value: unknown): boolean {
  return value === undefined || value === '' || value === 0 || value === 0n || value === false;
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

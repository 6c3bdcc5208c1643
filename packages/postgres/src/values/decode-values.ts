import { PlatformError } from '@posthaste/contracts';
import type pg from 'pg';

/** Converts the text of one value to the value that callers get. */
type Decode = (text: string) => unknown;

const asText: Decode = (text) => text;

/** Decoders by the oid of the type and the oid of its array type. */
const decoders: readonly (readonly [oid: number, arrayOid: number, decode: Decode])[] = [
  [16, 1000, decodeBool],
  [17, 1001, decodeBytea],
  [18, 1002, asText], // "char"
  [19, 1003, asText], // name
  [20, 1016, decodeInt8],
  [21, 1005, decodeInteger], // int2
  [23, 1007, decodeInteger], // int4
  [25, 1009, asText], // text
  [26, 1028, decodeInteger], // oid
  [114, 199, (text) => JSON.parse(text)],
  [700, 1021, decodeFloat], // float4
  [701, 1022, decodeFloat], // float8
  [1042, 1014, asText], // bpchar
  [1043, 1015, asText], // varchar
  [1082, 1182, textOf('date', /^(?:\d{4,}-\d\d-\d\d(?: BC)?|-?infinity)$/)],
  [1114, 1115, textOf('timestamp', /^(?:\d{4,}-\d\d-\d\d [\d:.]+(?: BC)?|-?infinity)$/)],
  [1184, 1185, decodeTimestamptz],
  [1186, 1187, asText], // interval
  [1700, 1231, textOf('numeric', /^(?:-?\d+(?:\.\d+)?|NaN|-?Infinity)$/)],
  [2950, 2951, asText], // uuid
  [3802, 3807, (text) => JSON.parse(text)], // jsonb
];

const decodeByOid = new Map<number, Decode>();
for (const [oid, arrayOid, decode] of decoders) {
  decodeByOid.set(oid, decode);
  decodeByOid.set(arrayOid, (text) => new ArrayReader(text, decode).read());
}

/**
 * Decoders in the form of the driver. They are passed to each connection, and never set for the whole
 * process. A value of another type stays the text that Postgres prints.
 */
export const driverTypes: pg.CustomTypesConfig = {
  // The signature of the driver accepts only the oids that it has names for.
  getTypeParser: ((oid: number) =>
    decodeByOid.get(oid) ?? asText) as pg.CustomTypesConfig['getTypeParser'],
};

/**
 * Error for a value that has not the form that a session's settings promise. It does not quote the value,
 * which may be a secret.
 */
function unexpectedForm(type: string): PlatformError {
  return new PlatformError(
    'DATABASE_ERROR',
    `the database returned a value of type ${type} in another form than expected: a setting of the session was changed`,
  );
}

/** Returns a decoder that returns the text unchanged if it has the expected form. */
function textOf(type: string, form: RegExp): Decode {
  return (text) => {
    if (!form.test(text)) throw unexpectedForm(type);
    return text;
  };
}

function decodeBool(text: string): boolean {
  if (text === 't') return true;
  if (text === 'f') return false;
  throw unexpectedForm('bool');
}

function decodeBytea(text: string): Buffer {
  const bytes = text.startsWith('\\x') ? Buffer.from(text.slice(2), 'hex') : undefined;
  // Buffer stops at the first character that is no hexadecimal digit.
  if (bytes?.length !== (text.length - 2) / 2) throw unexpectedForm('bytea');
  return bytes;
}

const int8Pattern = /^-?\d+$/;

function decodeInt8(text: string): bigint {
  if (!int8Pattern.test(text)) throw unexpectedForm('int8');
  return BigInt(text);
}

function decodeInteger(text: string): number {
  const value = Number(text);
  // The empty text would be 0.
  if (!Number.isInteger(value) || text === '') throw unexpectedForm('integer');
  return value;
}

function decodeFloat(text: string): number {
  const value = Number(text);
  if ((Number.isNaN(value) && text !== 'NaN') || text === '') throw unexpectedForm('float');
  return value;
}

const timestamptzPattern =
  /^(\d+)(-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d)(?::?(\d\d))?( BC)?$/;

/** Decodes `2026-01-31 10:00:00.123456+00`. Microseconds are cut to milliseconds. */
function decodeTimestamptz(text: string): Date | number {
  // Sessions run in UTC, so this covers every year from 0 to 9999.
  if (text[10] === ' ' && text.endsWith('+00')) {
    return validDate(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
  }
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  if (text === '-infinity') return Number.NEGATIVE_INFINITY;
  const match = timestamptzPattern.exec(text);
  if (!match) throw unexpectedForm('timestamptz');
  const [, year, monthAndDay, time, zoneHours, zoneMinutes = '00', beforeChrist] = match;
  const isoYear = beforeChrist ? 1 - Number(year) : Number(year);
  const sign = isoYear < 0 ? '-' : '+';
  const digits = String(Math.abs(isoYear)).padStart(6, '0');
  return validDate(`${sign}${digits}${monthAndDay}T${time}${zoneHours}:${zoneMinutes}`);
}

function validDate(iso: string): Date {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) throw unexpectedForm('timestamptz');
  return date;
}

/** Bounds that are printed before an array if its lower bound is not 1: `[0:2]=`. */
const boundsPattern = /^(?:\[-?\d+:-?\d+\])+=/;

/** Parses an array literal: `{1,NULL,"a \"quoted\" one",{nested}}`. */
class ArrayReader {
  readonly #text: string;
  readonly #decode: Decode;
  #position = 0;

  constructor(text: string, decode: Decode) {
    this.#text = text;
    this.#decode = decode;
  }

  read(): unknown[] {
    const bounds = this.#text.startsWith('[') ? boundsPattern.exec(this.#text) : undefined;
    this.#position = bounds?.[0].length ?? 0;
    const items = this.#array();
    if (this.#position !== this.#text.length) throw unexpectedForm('array');
    return items;
  }

  #array(): unknown[] {
    const items: unknown[] = [];
    this.#expect('{');
    if (this.#text[this.#position] !== '}') {
      items.push(this.#item());
      while (this.#text[this.#position] === ',') {
        this.#position++;
        items.push(this.#item());
      }
    }
    this.#expect('}');
    return items;
  }

  #expect(character: string): void {
    if (this.#text[this.#position] !== character) throw unexpectedForm('array');
    this.#position++;
  }

  #item(): unknown {
    const next = this.#text[this.#position];
    if (next === '{') return this.#array();
    if (next === '"') return this.#decode(this.#quoted());
    const bare = this.#bare();
    return bare === 'NULL' ? null : this.#decode(bare);
  }

  #bare(): string {
    const start = this.#position;
    const { length } = this.#text;
    let end = start;
    while (end < length && this.#text[end] !== ',' && this.#text[end] !== '}') end++;
    // An empty text is printed with quotes.
    if (end === start) throw unexpectedForm('array');
    this.#position = end;
    return this.#text.slice(start, end);
  }

  #quoted(): string {
    const start = this.#position + 1;
    const { length } = this.#text;
    let end = start;
    let escaped = false;
    while (end < length && this.#text[end] !== '"') {
      if (this.#text[end] === '\\') {
        escaped = true;
        end++;
      }
      end++;
    }
    if (end >= length) throw unexpectedForm('array');
    this.#position = end + 1;
    const raw = this.#text.slice(start, end);
    return escaped ? raw.replace(/\\(.)/gs, '$1') : raw;
  }
}

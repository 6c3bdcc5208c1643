import type pg from 'pg';

/** Converts the text of one value to the value that callers get. */
type Decode = (text: string) => unknown;

const asText: Decode = (text) => text;

/** Decoders by the oid of the type and the oid of its array type. */
const decoders: readonly (readonly [oid: number, arrayOid: number, decode: Decode])[] = [
  [16, 1000, (text) => text === 't'], // bool
  [17, 1001, decodeBytea],
  [18, 1002, asText], // "char"
  [19, 1003, asText], // name
  [20, 1016, (text) => BigInt(text)], // int8
  [21, 1005, Number], // int2
  [23, 1007, Number], // int4
  [25, 1009, asText], // text
  [26, 1028, Number], // oid
  [114, 199, (text) => JSON.parse(text)],
  [700, 1021, Number], // float4
  [701, 1022, Number], // float8
  [1042, 1014, asText], // bpchar
  [1043, 1015, asText], // varchar
  [1082, 1182, asText], // date
  [1114, 1115, asText], // timestamp without time zone
  [1184, 1185, decodeTimestamptz],
  [1186, 1187, asText], // interval
  [1700, 1231, asText], // numeric
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

function decodeBytea(text: string): Buffer {
  return Buffer.from(text.slice(2), 'hex');
}

const timestamptzPattern =
  /^(\d+)(-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d)(?::?(\d\d))?( BC)?$/;

/** Decodes `2026-01-31 10:00:00.123456+00`. Microseconds are cut to milliseconds. */
function decodeTimestamptz(text: string): Date | number {
  // Sessions run in UTC, so this covers every year from 0 to 9999.
  if (text[10] === ' ' && text.endsWith('+00')) {
    return new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
  }
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  if (text === '-infinity') return Number.NEGATIVE_INFINITY;
  const match = timestamptzPattern.exec(text);
  if (!match) return new Date(Number.NaN);
  const [, year, monthAndDay, time, zoneHours, zoneMinutes = '00', beforeChrist] = match;
  const isoYear = beforeChrist ? 1 - Number(year) : Number(year);
  const sign = isoYear < 0 ? '-' : '+';
  const digits = String(Math.abs(isoYear)).padStart(6, '0');
  return new Date(`${sign}${digits}${monthAndDay}T${time}${zoneHours}:${zoneMinutes}`);
}

/** Parses an array literal: `{1,NULL,"a \"quoted\" one",{nested}}`. */
class ArrayReader {
  readonly #text: string;
  readonly #decode: Decode;
  #position: number;

  constructor(text: string, decode: Decode) {
    this.#text = text;
    this.#decode = decode;
    // Arrays whose lower bound is not 1 are printed as `[0:2]={...}`.
    this.#position = text.indexOf('{');
  }

  read(): unknown[] {
    const items: unknown[] = [];
    this.#position++;
    while (this.#text[this.#position] !== '}') {
      items.push(this.#item());
      if (this.#text[this.#position] === ',') this.#position++;
    }
    this.#position++;
    return items;
  }

  #item(): unknown {
    const next = this.#text[this.#position];
    if (next === '{') return this.read();
    if (next === '"') return this.#decode(this.#quoted());
    const bare = this.#bare();
    return bare === 'NULL' ? null : this.#decode(bare);
  }

  #bare(): string {
    const start = this.#position;
    let end = start;
    while (this.#text[end] !== ',' && this.#text[end] !== '}') end++;
    this.#position = end;
    return this.#text.slice(start, end);
  }

  #quoted(): string {
    const start = this.#position + 1;
    let end = start;
    let escaped = false;
    while (this.#text[end] !== '"') {
      if (this.#text[end] === '\\') {
        escaped = true;
        end++;
      }
      end++;
    }
    this.#position = end + 1;
    const raw = this.#text.slice(start, end);
    return escaped ? raw.replace(/\\(.)/gs, '$1') : raw;
  }
}

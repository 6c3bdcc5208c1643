import { PlatformError } from '@posthaste/contracts';

/** A value on the wire: text, or bytes in Postgres's binary format. */
type WireValue = string | Buffer | null;

const byteaOid = 17;

/**
 * Converts parameters to values that the driver sends unchanged, the same for both engines. If nothing
 * has to be converted, it returns the given array, so that the common call allocates nothing.
 * @throws PlatformError `DATABASE_ERROR` for a value that has no SQL form
 */
export function encodeValues(values: readonly unknown[]): readonly unknown[] {
  let encoded: unknown[] | undefined;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value === 'string' || value === null) continue;
    encoded ??= values.slice();
    encoded[i] = encodeValue(value);
  }
  return encoded ?? values;
}

function encodeValue(value: unknown): WireValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return asBuffer(value);
  if (Array.isArray(value)) return encodeArray(value);
  return encodeScalar(value);
}

/** Converts a value that is not null, bytes or an array to text. */
function encodeScalar(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      break;
  }
  if (value instanceof Date) return encodeDate(value);
  throw new PlatformError('DATABASE_ERROR', `a parameter of type ${typeof value} has no SQL form`);
}

function encodeDate(date: Date): string {
  const time = date.getTime();
  if (Number.isNaN(time))
    throw new PlatformError('DATABASE_ERROR', 'a parameter is an invalid date');
  const iso = date.toISOString();
  // Years outside 0001 to 9999 have a sign and six digits, which Postgres does not accept.
  if (iso.length === 24 && !iso.startsWith('0000')) return iso;
  const year = date.getUTCFullYear();
  const rest = iso.slice(iso.indexOf('-', 1));
  return year > 0 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function encodeArray(items: readonly unknown[]): WireValue {
  const first = items.find((item) => item !== null && item !== undefined);
  // Bytes are sent in binary: hexadecimal in an array literal is four times as expensive.
  if (first instanceof Uint8Array) return encodeByteaArray(items);
  return arrayLiteral(items);
}

/**
 * Converts texts to a parameter of type `bytea[]`, each as its UTF-8. All are written to one buffer,
 * because one buffer for each would cost more in garbage collection than all the rest.
 */
export function toByteaArray(texts: readonly string[]): Buffer {
  const size = texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text), 0);
  const target = allocateArray(texts.length, size, false);
  let offset = arrayHeaderBytes;
  for (const text of texts) {
    const length = target.write(text, offset + 4);
    target.writeInt32BE(length, offset);
    offset += 4 + length;
  }
  return target;
}

/** Size of the header: dimensions, flag for nulls, type, number of items, lower bound. */
const arrayHeaderBytes = 20;

/** Allocates a one-dimensional bytea[] in the binary format of array_recv, and writes its header. */
function allocateArray(count: number, itemBytes: number, hasNull: boolean): Buffer {
  const target = Buffer.allocUnsafe(arrayHeaderBytes + itemBytes);
  const header = [1, hasNull ? 1 : 0, byteaOid, count, 1];
  header.forEach((field, index) => {
    target.writeInt32BE(field, 4 * index);
  });
  return target;
}

function encodeByteaArray(items: readonly unknown[]): Buffer {
  let size = 0;
  let hasNull = false;
  for (const item of items) {
    size += 4;
    if (item instanceof Uint8Array) size += item.byteLength;
    else if (item === null || item === undefined) hasNull = true;
    else throw new PlatformError('DATABASE_ERROR', 'an array mixes bytes and other values');
  }
  const target = allocateArray(items.length, size, hasNull);
  let offset = arrayHeaderBytes;
  for (const item of items) {
    if (item instanceof Uint8Array) {
      target.writeInt32BE(item.byteLength, offset);
      target.set(item, offset + 4);
      offset += 4 + item.byteLength;
    } else {
      target.writeInt32BE(-1, offset);
      offset += 4;
    }
  }
  return target;
}

const needsEscape = /["\\]/;
const escapable = /["\\]/g;

function arrayLiteral(items: readonly unknown[]): string {
  let text = '{';
  for (let i = 0; i < items.length; i++) {
    if (i > 0) text += ',';
    text += arrayElement(items[i]);
  }
  return `${text}}`;
}

function arrayElement(item: unknown): string {
  switch (typeof item) {
    case 'string':
      return quoteElement(item);
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(item);
    default:
      break;
  }
  if (item === null || item === undefined) return 'NULL';
  if (Array.isArray(item)) return arrayLiteral(item);
  if (item instanceof Uint8Array) return `"\\\\x${asBuffer(item).toString('hex')}"`;
  return quoteElement(encodeScalar(item));
}

function quoteElement(text: string): string {
  return needsEscape.test(text) ? `"${text.replace(escapable, '\\$&')}"` : `"${text}"`;
}

import { isUtf8 } from 'node:buffer';
import type { OutgoingRecord, RecordHeader, StoredRecord } from './record.js';

/** Returns every header of a record in order, with the bytes of its value. */
export function toHeaderList({
  headers,
  rawHeaders,
}: Pick<OutgoingRecord, 'headers' | 'rawHeaders'>): readonly RecordHeader[] {
  if (rawHeaders) return rawHeaders;
  return Object.entries(headers).map(([name, text]) => ({ name, value: Buffer.from(text) }));
}

/** Returns the headers as texts. A name that comes twice has its last value; null is left out. */
export function toHeaderTexts(list: readonly RecordHeader[]): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const { name, value } of list) {
    if (value !== null) texts[name] = value.toString();
  }
  return texts;
}

/** Returns the list if it has something that texts by name cannot hold; else undefined. */
export function toRawHeaders(list: readonly RecordHeader[]): readonly RecordHeader[] | undefined {
  const names = Object.keys(toHeaderTexts(list));
  const isPlain = list.every(
    ({ name, value }, index) => name === names[index] && value !== null && isUtf8(value),
  );
  return isPlain && names.length === list.length ? undefined : list;
}

/** Returns the bytes of the headers, as their texts or values have them. */
export function headerBytes({
  headers,
  rawHeaders,
}: Pick<OutgoingRecord, 'headers' | 'rawHeaders'>): number {
  let bytes = 0;
  if (rawHeaders) {
    for (const { name, value } of rawHeaders) bytes += name.length + (value?.length ?? 0);
    return bytes;
  }
  // Texts count by characters: cheap, and close enough.
  for (const name in headers) bytes += name.length + (headers[name]?.length ?? 0);
  return bytes;
}

/**
 * True if the record has a header of this name with a value, or with exactly this text. Makes no texts
 * of headers that are still bytes: consumers ask for every record.
 * @param name in ASCII
 */
export function hasHeader(
  record: Pick<StoredRecord, 'headers' | 'findsHeader'>,
  name: string,
  text?: string,
): boolean {
  if (record.findsHeader) return record.findsHeader(name, text);
  const value = record.headers[name];
  return text === undefined ? value !== undefined : value === text;
}

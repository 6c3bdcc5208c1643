import { applicationHeader } from '@posthaste/contracts';
import { decodeEnvelope } from '../../../envelope/decode.js';
import { toHeaders } from '../../../envelope/headers.js';
import type { OutgoingRecord, RecordHeader } from '../../../record.js';
import { applicationOf } from '../../../record-application.js';
import { toHeaderTexts, toRawHeaders } from '../../../record-headers.js';

/**
 * Headers in the form of the table. The headers of most records repeat what is in the envelope, and
 * would take a third of the record. For those, only the event's name is stored, in its own column,
 * and the trace if there is one; the headers are computed when the record is read:
 *
 * | column headers | column name | headers of the record                                      |
 * | -------------- | ----------- | ---------------------------------------------------------- |
 * | an object      | any         | this object                                                |
 * | a list         | any         | these headers, each a name with its value                  |
 * | a text         | given       | `toHeaders` of the envelope, with this text as the trace   |
 * | null           | given       | `toHeaders` of the envelope                                |
 * | null           | null        | none                                                       |
 *
 * The header `posthaste-application` is in a column of its own, by which readers choose; a list has it
 * too. A value that is no name of an application is a header like any other.
 */
export interface StoredHeaders {
  /** The header `ce_type`, by which consumers choose. */
  readonly name: string | null;
  /** As JSON. */
  readonly headers: string | null;
  /** Application of the record; null for none. */
  readonly application: string | null;
}

/** A header in the list: its name and its value as base64, or null. */
type ListedHeader = readonly [name: string, base64: string | null];

/** Converts the headers of a record to append. */
export function toStoredHeaders({
  headers,
  rawHeaders,
}: Pick<OutgoingRecord, 'headers' | 'rawHeaders'>): StoredHeaders {
  if (rawHeaders) {
    if (!toRawHeaders(rawHeaders)) return toStoredHeaders({ headers: toHeaderTexts(rawHeaders) });
    const list = rawHeaders.map(({ name, value }): ListedHeader => {
      return [name, value?.toString('base64') ?? null];
    });
    const texts = toHeaderTexts(rawHeaders);
    const application = applicationOf({ headers: texts }) ?? null;
    return { name: nameOf(texts), headers: JSON.stringify(list), application };
  }
  const application = applicationOf({ headers });
  const text = JSON.stringify(application === undefined ? headers : withoutApplication(headers));
  const stored = application ?? null;
  return text === '{}'
    ? { name: null, headers: null, application: stored }
    : { name: nameOf(headers), headers: text, application: stored };
}

function withoutApplication({
  [applicationHeader]: _,
  ...others
}: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return others;
}

/** Returns the name, or null for one that a text column cannot hold. */
function nameOf({ ce_type: name }: Readonly<Record<string, string>>): string | null {
  return name === undefined || name.includes('\0') ? null : name;
}

/** Columns from which the headers of a record are computed. */
export interface HeadersRow {
  readonly name: string | null;
  readonly headers: Record<string, string> | readonly ListedHeader[] | string | null;
  readonly value: Buffer | null;
  readonly application: string | null;
}

/** Returns the headers of a stored record that are kept as a list; else undefined. */
export function fromStoredList({ headers }: HeadersRow): readonly RecordHeader[] | undefined {
  if (!isList(headers)) return undefined;
  return headers.map(([name, base64]) => {
    return { name, value: base64 === null ? null : Buffer.from(base64, 'base64') };
  });
}

function isList(headers: HeadersRow['headers']): headers is readonly ListedHeader[] {
  return Array.isArray(headers);
}

/** Returns the headers of a stored record as texts. */
export function fromStoredHeaders(row: HeadersRow): Record<string, string> {
  const headers = toTexts(row);
  if (row.application !== null) headers[applicationHeader] = row.application;
  return headers;
}

/** Returns a new object, without the header of the application. */
function toTexts(row: HeadersRow): Record<string, string> {
  const { name, headers, value } = row;
  if (isList(headers)) return toHeaderTexts(fromStoredList(row) ?? []);
  if (headers !== null && typeof headers === 'object') return headers;
  if (name === null || value === null) return {};
  try {
    return toHeaders(decodeEnvelope(value), headers ?? undefined);
  } catch {
    // Such a record is not appended by this package, but a reader must get past it.
    return {};
  }
}

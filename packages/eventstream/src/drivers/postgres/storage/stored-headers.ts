import { decodeEnvelope } from '../../../envelope/decode.js';
import { toHeaders } from '../../../envelope/headers.js';

/**
 * Headers as the table has them. Most records are events whose headers say again what stands in the
 * envelope: they take a third of the record. Of those only the event's name is stored, in its own
 * column, and the trace if there is one; the headers are made anew when they are read. So:
 *
 * | headers     | name  | what the record has                                              |
 * | ----------- | ----- | ---------------------------------------------------------------- |
 * | an object   | any   | these headers                                                    |
 * | a text      | given | those that `toHeaders` makes of its envelope, and this trace     |
 * | null        | given | those that `toHeaders` makes of its envelope                     |
 * | null        | null  | none                                                             |
 */
export interface StoredHeaders {
  /** What consumers choose by: the header `ce_type`. */
  readonly name: string | null;
  /** As JSON. */
  readonly headers: string | null;
}

/** Of a record as publishers hand it in. */
export function toStoredHeaders(headers: Readonly<Record<string, string>>): StoredHeaders {
  const text = JSON.stringify(headers);
  return text === '{}' ? { name: null, headers: null } : { name: nameOf(headers), headers: text };
}

/** What a text column has no room for is none. */
function nameOf({ ce_type: name }: Readonly<Record<string, string>>): string | null {
  return name === undefined || name.includes('\0') ? null : name;
}

/** What of a row the headers are made of. */
export interface HeadersRow {
  readonly name: string | null;
  readonly headers: Record<string, string> | string | null;
  readonly value: Buffer | null;
}

export function fromStoredHeaders({ name, headers, value }: HeadersRow): Record<string, string> {
  if (headers !== null && typeof headers === 'object') return headers;
  if (name === null || value === null) return {};
  try {
    return toHeaders(decodeEnvelope(value), headers ?? undefined);
  } catch {
    // Nobody appends such a record, but whoever comes upon one must get past it.
    return {};
  }
}

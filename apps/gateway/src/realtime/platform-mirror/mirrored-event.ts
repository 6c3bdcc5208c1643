import { stringifyExactJson } from '@posthaste/contracts';
import type { StoredRecord } from '@posthaste/eventstream';
import { toEventView } from '../../routes/events/event-view.js';

/** Event of a record as subscribers get it. */
export interface MirroredEvent {
  readonly id: string;
  readonly name: string;
  /** JSON of at most `maxBytes`. */
  readonly text: string;
}

/**
 * Returns the event of a record; undefined if it has none. One that gets too large has no envelope, but
 * `payloadOmitted` and the URL at which it can be read.
 */
export function toMirroredEvent(record: StoredRecord, maxBytes: number): MirroredEvent | undefined {
  const { event, ...place } = toEventView(record, 'envelope');
  if (event === null) return undefined;
  const { id, name } = event as { readonly id: string; readonly name: string };
  const text = stringifyExactJson({ id, name, ...place, event });
  if (Buffer.byteLength(text) <= maxBytes) return { id, name, text };
  const readAt = toUrl(record);
  const standIn = stringifyExactJson({ id, name, ...place, payloadOmitted: true, readAt });
  // Only a key can be as large.
  if (Buffer.byteLength(standIn) <= maxBytes) return { id, name, text: standIn };
  const { key: _, ...rest } = place;
  const keyless = { id, name, ...rest, payloadOmitted: true, keyOmitted: true };
  const readThere = toUrl({ ...record, key: null });
  return { id, name, text: stringifyExactJson({ ...keyless, readAt: readThere }) };
}

/** Returns the path and query at which the gateway shows the record, and those of its millisecond. */
function toUrl({ topic, key, timestampMs }: StoredRecord): string {
  const query = new URLSearchParams({ topic });
  if (key !== null) query.set('key', key.toString());
  query.set('since', new Date(timestampMs).toISOString());
  query.set('until', new Date(timestampMs + 1).toISOString());
  return `/v1/events?${query}`;
}

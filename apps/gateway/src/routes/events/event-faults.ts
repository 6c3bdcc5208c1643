import { PlatformError } from '@posthaste/contracts';
import type { FieldFault } from '../../http/field-faults.js';

/**
 * Content mode of a request. `structured`, `batched` and `binary` are the modes of the HTTP binding
 * of CloudEvents (§1.3); `plain` is JSON: envelopes, or CloudEvents that their `specversion` shows.
 */
export type EventMode = 'plain' | 'structured' | 'batched' | 'binary';

/** Attributes of a CloudEvent, by the field of the envelope that has another name. */
const attributeNames: Readonly<Record<string, string>> = {
  name: 'type',
  namespace: 'source',
  key: 'partitionkey',
  payload: 'data',
  timestamp: 'time',
  timestampUnixNano: 'time',
};

/** Returns the publisher's name of a field of the envelope, for a CloudEvent. */
export function toEventField(field: string, mode: EventMode): string {
  return toAttributeField(attributeNames[field] ?? field, mode);
}

/** Returns the publisher's name of an attribute: in binary mode that of its header. */
export function toAttributeField(name: string, mode: EventMode): string {
  if (mode !== 'binary') return name;
  if (name === 'data') return 'body';
  // An event without a topic may also name it in the query.
  if (name === 'topic') return name;
  return name === 'datacontenttype' ? 'header.content-type' : `header.ce-${name}`;
}

/** Translates the fault of an event that is no CloudEvent. Returns any other error unchanged. */
export function toEventInvalid(error: unknown, mode: EventMode): unknown {
  if (!(error instanceof PlatformError && error.code === 'ENVELOPE_INVALID')) return error;
  const { field = 'specversion' } = (error.details ?? {}) as { readonly field?: string };
  const details = [{ field: toAttributeField(field, mode), message: error.message }];
  return new PlatformError('EVENT_INVALID', error.message, { cause: error, details });
}

/** Creates the error of an event with one fault. */
export function eventInvalid(fault: FieldFault, cause?: unknown): PlatformError {
  const message = `${fault.field} ${fault.message}`;
  return new PlatformError('EVENT_INVALID', message, { cause, details: [fault] });
}

/** True if a parsed JSON value has half a surrogate pair. No recursion: values may be deep. */
export function hasHalfPair(value: unknown): boolean {
  const rest: unknown[] = [value];
  while (rest.length > 0) {
    const next = rest.pop();
    if (typeof next === 'string' && !next.isWellFormed()) return true;
    if (typeof next !== 'object' || next === null) continue;
    for (const [key, member] of Object.entries(next)) rest.push(key, member);
  }
  return false;
}

/** Decodes the events in records: envelopes, and CloudEvents of other publishers. */

import {
  type EventEnvelope,
  eventTypeOf,
  fromCloudEvent,
  type JsonObject,
  PlatformError,
  parseJsonWithBigints,
  parseJsonWithDigits,
  stringifyExactJson,
} from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import { hasHeader } from '../record-headers.js';
import { decodeEnvelope, decodeEnvelopeWithDigits } from './decode.js';
import { type CloudEventMode, modeOf, parseForeignEvent } from './foreign-event.js';
import { maxDepth } from './go-json.js';

/** Functions that read numbers in one way. */
interface NumberReader {
  readonly decode: (value: Buffer) => EventEnvelope;
  readonly parse: (text: string) => unknown;
}

/** Deepest nesting of an event that is passed on: a publisher's own, and the levels of the envelope. */
const maxEventDepth = maxDepth + 8;

const bigints: NumberReader = { decode: decodeEnvelope, parse: parseJsonWithBigints };
const withDigits: NumberReader = { decode: decodeEnvelopeWithDigits, parse: parseJsonWithDigits };

/**
 * Decodes the event in a record: an envelope as `decodeEnvelope` does, or a CloudEvent of another
 * publisher, in binary or structured mode of the Kafka binding, as `fromCloudEvent` does. Returns null
 * for a record that has no value and is no CloudEvent: it deletes what its key names.
 * @throws PlatformError `ENVELOPE_INVALID` when the record cannot be read, with the reason
 */
export function decodeRecord(record: StoredRecord): EventEnvelope | null {
  return decodeWith(bigints, record);
}

/**
 * Decodes the event in a record to pass it on: as `decodeRecord`, with numbers as
 * `decodeEnvelopeWithDigits` reads them. An event that is nested deeper than publishers may nest theirs
 * is unreadable: what writes, copies or compares it would exceed the stack.
 * @throws PlatformError as `decodeRecord`
 */
export function decodeRecordWithDigits(record: StoredRecord): EventEnvelope | null {
  const envelope = decodeWith(withDigits, record);
  // Each level takes two characters at least, so most values are too short to be checked.
  const mayBeDeep = record.value !== null && record.value.length > 2 * maxEventDepth;
  if (mayBeDeep && isDeeper(envelope, maxEventDepth)) {
    throw new PlatformError('ENVELOPE_INVALID', `the event is over ${maxDepth} levels deep`);
  }
  return envelope;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const member of Object.values(value)) if (isDeeper(member, levels - 1)) return true;
  return false;
}

/**
 * Most records have an envelope whose id and name are in their headers, or have no headers of a
 * CloudEvent. So the envelope is decoded first, and of the headers no texts are made.
 */
function decodeWith(reader: NumberReader, record: StoredRecord): EventEnvelope | null {
  const { value } = record;
  if (value === null)
    return modeOf(record) === 'binary' ? decodeForeign(record, 'binary', reader) : null;
  let envelope: EventEnvelope;
  try {
    envelope = reader.decode(value);
  } catch (error) {
    const mode = modeOf(record);
    if (mode === undefined || (mode === 'binary' && hasEnvelopeMembers(record))) throw error;
    return decodeForeign(record, mode, reader);
  }
  const isNamed = isNamedInHeaders(record, envelope);
  if (isNamed && !isStructured(envelope)) return envelope;
  const mode = modeOf(record);
  if (mode === undefined || (mode === 'binary' && isNamed)) return envelope;
  return decodeForeign(record, mode, reader);
}

/** True if the headers have the id and name of this envelope: it is not the data of another event. */
function isNamedInHeaders(record: StoredRecord, envelope: EventEnvelope): boolean {
  if (!hasHeader(record, 'ce_id', envelope.id)) return false;
  if (hasHeader(record, 'ce_type', envelope.name)) return true;
  // Writers that do not know `eventTypeOf` write the name, all others the type.
  return hasHeader(record, 'ce_type', eventTypeOf(envelope));
}

/** True if the envelope may be read from a CloudEvent in JSON, which has this key. */
function isStructured({ unknownKeys }: EventEnvelope): boolean {
  return unknownKeys?.specversion !== undefined;
}

/** True if the value, which no envelope can be read from, still has the id and name of the headers. */
function hasEnvelopeMembers(record: StoredRecord): boolean {
  try {
    const { id, name } = JSON.parse(`${record.value}`);
    return hasHeader(record, 'ce_id', `${id}`) && hasHeader(record, 'ce_type', `${name}`);
  } catch {
    return false;
  }
}

function decodeForeign(
  record: StoredRecord,
  mode: CloudEventMode,
  { parse }: NumberReader,
): EventEnvelope {
  const envelope = fromCloudEvent(parseForeignEvent(record, mode, parse));
  return mode === 'binary' ? withNumbers(envelope, parse) : envelope;
}

/** Returns the envelope with its numbers as `parse` reads them: a binary event has their digits. */
function withNumbers(envelope: EventEnvelope, parse: (text: string) => unknown): EventEnvelope {
  if (parse === parseJsonWithDigits || envelope.payload === undefined) return envelope;
  return { ...envelope, payload: parse(stringifyExactJson(envelope.payload)) as JsonObject };
}

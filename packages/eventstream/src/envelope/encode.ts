/**
 * Encodes envelopes byte for byte as the Go SDK does. This runs for every event, so the keys are
 * written one by one and not in a loop over a table: the compiler then knows where each key is in the
 * object.
 */

import {
  type EnvelopeKey,
  type EventEnvelope,
  envelopeKeys,
  isInt64,
  type JsonObject,
  PlatformError,
} from '@posthaste/contracts';
import { toGoJson, toGoString } from './go-json.js';
import { toNanoTime } from './nano-time.js';

/**
 * Form of the envelope. `default`: leaves out keys that are zero or empty. `v4.2`: also leaves out
 * `timestampUnixNano` and has the nanoseconds in `timestamp`, for readers at v4.2 of the Go SDK. `v3.1`:
 * the older envelope, with all of its keys and without the newer ones.
 */
export type EnvelopeProfile = 'default' | 'v4.2' | 'v3.1';

/**
 * Encodes an envelope as bytes.
 * @throws PlatformError `ENVELOPE_INVALID` with `details.field` for a value of the wrong type, or
 *   one that JSON cannot hold: Go consumers would drop the record
 */
export function encodeEnvelope(
  envelope: EventEnvelope<object>,
  profile: EnvelopeProfile,
): Buffer<ArrayBuffer> {
  return Buffer.from(toEnvelopeText(envelope, profile));
}

/** Encodes an envelope as text, whose UTF-8 are the bytes. @throws as `encodeEnvelope` */
export function toEnvelopeText(envelope: EventEnvelope<object>, profile: EnvelopeProfile): string {
  const members = toMembers(envelope, profile);
  // Each member begins with a comma; the brace replaces the first one.
  return `{${members.slice(1)}}`;
}

function toMembers(event: EventEnvelope<object>, profile: EnvelopeProfile): string {
  switch (profile) {
    case 'default':
      return givenMembers(event, timeMembers(event));
    case 'v4.2':
      return givenMembers(event, nanoTimeMember(event));
    case 'v3.1':
      return olderMembers(event);
  }
}

function timeMembers({ timestamp, timestampUnixNano }: EventEnvelope<object>): string {
  return text(',"timestamp":', timestamp) + integer(',"timestampUnixNano":', timestampUnixNano);
}

/** Writes the timestamp as Go's RFC3339Nano: without zeros at the end of its fraction. */
function nanoTimeMember(event: EventEnvelope<object>): string {
  integer(',"timestampUnixNano":', event.timestampUnixNano);
  const nano = toNanoTime(event)?.replace(/\.?0*Z$/, 'Z');
  return text(',"timestamp":', nano ?? event.timestamp);
}

function givenMembers(event: EventEnvelope<object>, time: string): string {
  return (
    text(',"id":', event.id) +
    text(',"name":', event.name) +
    text(',"namespace":', event.namespace) +
    text(',"parentNamespace":', event.parentNamespace) +
    text(',"unionNamespace":', event.unionNamespace) +
    text(',"clientId":', event.clientId) +
    text(',"traceId":', event.traceId) +
    text(',"spanContext":', event.spanContext) +
    text(',"userId":', event.userId) +
    text(',"sessionId":', event.sessionId) +
    time +
    integer(',"version":', event.version) +
    integer(',"event_id":', event.event_id) +
    integer(',"event_type":', event.event_type) +
    integer(',"event_level":', event.event_level) +
    text(',"service":', event.service) +
    list(',"client_ids":', event.client_ids) +
    list(',"target_user_ids":', event.target_user_ids) +
    text(',"target_namespace":', event.target_namespace) +
    flag(',"privacy":', event.privacy) +
    text(',"topic":', event.topic) +
    text(',"sourceNamespace":', event.sourceNamespace) +
    object(',"additional_fields":', event.additional_fields) +
    object(',"payload":', event.payload) +
    unknown(event.unknownKeys)
  );
}

function olderMembers(event: EventEnvelope<object>): string {
  return (
    (text(',"id":', event.id) || ',"id":""') +
    (text(',"name":', event.name) || ',"name":""') +
    (text(',"namespace":', event.namespace) || ',"namespace":""') +
    (text(',"clientId":', event.clientId) || ',"clientId":""') +
    (text(',"traceId":', event.traceId) || ',"traceId":""') +
    (text(',"spanContext":', event.spanContext) || ',"spanContext":""') +
    (text(',"userId":', event.userId) || ',"userId":""') +
    (text(',"sessionId":', event.sessionId) || ',"sessionId":""') +
    (text(',"timestamp":', event.timestamp) || ',"timestamp":""') +
    (integer(',"version":', event.version) || ',"version":0') +
    (integer(',"event_id":', event.event_id) || ',"event_id":0') +
    (integer(',"event_type":', event.event_type) || ',"event_type":0') +
    (integer(',"event_level":', event.event_level) || ',"event_level":0') +
    (text(',"service":', event.service) || ',"service":""') +
    (list(',"client_ids":', event.client_ids) || emptyOrNull('client_ids', event)) +
    (list(',"target_user_ids":', event.target_user_ids) || emptyOrNull('target_user_ids', event)) +
    (text(',"target_namespace":', event.target_namespace) || ',"target_namespace":""') +
    (flag(',"privacy":', event.privacy) || ',"privacy":false') +
    (text(',"topic":', event.topic) || ',"topic":""') +
    object(',"additional_fields":', event.additional_fields) +
    (object(',"payload":', event.payload) || emptyOrNull('payload', event)) +
    unknown(event.unknownKeys)
  );
}

/** Writes an empty list or object as such and a missing one as null: Go distinguishes the two. */
function emptyOrNull(
  key: 'client_ids' | 'target_user_ids' | 'payload',
  event: EventEnvelope<object>,
): string {
  if (event[key] === undefined) return `,"${key}":null`;
  return key === 'payload' ? ',"payload":{}' : `,"${key}":[]`;
}

function text(prefix: string, value: string | undefined): string {
  if (value === undefined || value === '') return '';
  if (typeof value !== 'string') throw wrongKind(prefix, 'a string');
  return prefix + toGoString(value);
}

function integer(prefix: string, value: number | bigint | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'bigint' ? !isInt64(value) : !Number.isSafeInteger(value)) {
    throw wrongKind(prefix, 'an integer of 64 bits');
  }
  return value === 0 || value === 0n ? '' : prefix + String(value);
}

function flag(prefix: string, value: boolean | undefined): string {
  if (value === undefined || value === false) return '';
  if (value !== true) throw wrongKind(prefix, 'true or false');
  return `${prefix}true`;
}

function list(prefix: string, values: readonly string[] | undefined): string {
  if (values === undefined) return '';
  if (!Array.isArray(values) || !values.every((value) => typeof value === 'string')) {
    throw wrongKind(prefix, 'a list of strings');
  }
  return values.length === 0 ? '' : `${prefix}[${values.map(toGoString).join()}]`;
}

function object(prefix: string, value: object | undefined): string {
  if (value === undefined) return '';
  if (typeof value !== 'object' || value === null) throw wrongKind(prefix, 'a JSON object');
  const json = toGoJson(value, keyOf(prefix));
  // Refuses lists, and objects whose `toJSON` returns something else, such as a Date.
  if (!json.startsWith('{')) throw wrongKind(prefix, 'a JSON object');
  return json === '{}' ? '' : prefix + json;
}

const knownKeys: ReadonlySet<string> = new Set(envelopeKeys.map((key) => key.toLowerCase()));

/** Writes the keys of a received record that this release does not know, after the known ones. */
function unknown(keys: JsonObject | undefined): string {
  if (keys === undefined) return '';
  const clash = Object.keys(keys).find((key) => knownKeys.has(key.toLowerCase()));
  if (clash !== undefined) {
    throw new PlatformError(
      'ENVELOPE_INVALID',
      `unknownKeys holds ${clash}, which the envelope defines itself; set that field instead`,
      {
        details: { field: 'unknownKeys' },
      },
    );
  }
  const json = toGoJson(keys, 'unknownKeys');
  return json === '{}' ? '' : `,${json.slice(1, -1)}`;
}

function wrongKind(prefix: string, expected: string): PlatformError {
  const field = keyOf(prefix);
  return new PlatformError('ENVELOPE_INVALID', `${field} is not ${expected}`, {
    details: { field },
  });
}

/** Returns the key of a prefix: `id` for `,"id":`. */
function keyOf(prefix: string): EnvelopeKey {
  return prefix.slice(2, -2) as EnvelopeKey;
}

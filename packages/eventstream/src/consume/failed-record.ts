import { inspect } from 'node:util';
import { PlatformError } from '@posthaste/contracts';
import type { OutgoingRecord, RecordHeader, StoredRecord } from '../record.js';
import { toHeaderList } from '../record-headers.js';

/**
 * Headers that a record gets in a dead letter or retry topic: its origin and the reason of its
 * failure. A record that moves on from a retry topic keeps its origin.
 */
export const failedRecordHeaders = {
  topic: 'x-original-topic',
  partition: 'x-original-partition',
  offset: 'x-original-offset',
  /** Moment of the append to the original topic, in ms since 1970. */
  timestamp: 'x-original-timestamp',
  group: 'x-consumer-group',
  error: 'x-error',
  /** Number of calls of the handler. 0: the record could not be read. */
  attempts: 'x-attempts',
  /**
   * Event name of the failed subscription; empty: all events. Absent: the record was unreadable.
   */
  subscription: 'x-subscription',
  /** Retry topics only: moment of the next call, in ms since 1970. */
  dueAt: 'x-retry-due-at',
} as const;

const maxErrorLength = 1_024;

/** Failure of a record in a consumer group. */
export interface Failure {
  readonly groupId: string;
  readonly error: unknown;
  readonly attempts: number;
  /** Undefined: no subscription could read the record. */
  readonly subscription: string | undefined;
  /** For a retry topic: moment of the next call, in ms since 1970. */
  readonly dueAtMs?: number;
}

/** Returns the record for a dead letter or retry topic: same key and bytes, with headers added. */
export function toFailedRecord(record: StoredRecord, failure: Failure): OutgoingRecord {
  const names = failedRecordHeaders;
  const { [names.dueAt]: _due, [names.subscription]: _subscription, ...kept } = record.headers;
  const origin = {
    [names.topic]: record.topic,
    [names.partition]: String(record.partition),
    [names.offset]: String(record.offset),
    [names.timestamp]: String(record.timestampMs),
  };
  const added = {
    ...(isFromRetryTopic(record) ? {} : origin),
    [names.group]: failure.groupId,
    [names.error]: toErrorText(failure.error),
    [names.attempts]: String(failure.attempts),
    ...(failure.subscription === undefined ? {} : { [names.subscription]: failure.subscription }),
    ...(failure.dueAtMs === undefined ? {} : { [names.dueAt]: String(failure.dueAtMs) }),
  };
  const { key, value, rawHeaders } = record;
  const copy = { key, value, headers: { ...kept, ...added } };
  if (!rawHeaders) return copy;
  const replaced = new Set([...Object.keys(added), names.dueAt, names.subscription]);
  const keptRaw = withoutNames(rawHeaders, replaced);
  return { ...copy, rawHeaders: [...keptRaw, ...toHeaderList({ headers: added })] };
}

function withoutNames(
  headers: readonly RecordHeader[],
  names: ReadonlySet<string>,
): readonly RecordHeader[] {
  return headers.filter(({ name }) => !names.has(name));
}

/** Earlier failures of a record, as its headers have them. */
export interface PastFailures {
  readonly attempts: number;
  readonly subscription: string | undefined;
  /** Milliseconds since 1970. 0: not given. */
  readonly dueAtMs: number;
}

/** Reads the headers. Anybody may have written them: a text that is not a number counts as 0. */
export function readPastFailures({ headers }: StoredRecord): PastFailures {
  return {
    attempts: toCount(headers[failedRecordHeaders.attempts]),
    subscription: headers[failedRecordHeaders.subscription],
    dueAtMs: toCount(headers[failedRecordHeaders.dueAt]),
  };
}

/**
 * Returns a dead letter as it was before it failed, and its original topic. Undefined: the headers
 * have no original topic. A replay to that topic reaches every group, not only the one that failed.
 */
export function toReplay(
  deadLetter: Pick<StoredRecord, 'key' | 'value' | 'headers' | 'rawHeaders'>,
): { readonly topic: string; readonly record: OutgoingRecord } | undefined {
  const topic = deadLetter.headers[failedRecordHeaders.topic];
  if (topic === undefined) return undefined;
  const added: ReadonlySet<string> = new Set(Object.values(failedRecordHeaders));
  const kept = Object.entries(deadLetter.headers).filter(([name]) => !added.has(name));
  const { key, value, rawHeaders } = deadLetter;
  const record = { key, value, headers: Object.fromEntries(kept) };
  if (!rawHeaders) return { topic, record };
  return { topic, record: { ...record, rawHeaders: withoutNames(rawHeaders, added) } };
}

function isFromRetryTopic({ headers }: StoredRecord): boolean {
  return headers[failedRecordHeaders.dueAt] !== undefined;
}

function toCount(text: string | undefined): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

function toErrorText(error: unknown): string {
  const code = error instanceof PlatformError ? `${error.code}: ` : '';
  const text = error instanceof Error ? error.message || error.name : describe(error);
  return `${code}${text}`.slice(0, maxErrorLength);
}

function describe(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 1 });
}

import { inspect } from 'node:util';
import { PlatformError } from '@posthaste/contracts';
import type { OutgoingRecord, StoredRecord } from '../record.js';

/**
 * Headers of a record in a dead letter or retry topic, beside those that it had: where it came
 * from, and why it did not stay there. A record that moves on from a retry topic keeps its origin.
 */
export const failedRecordHeaders = {
  topic: 'x-original-topic',
  partition: 'x-original-partition',
  offset: 'x-original-offset',
  /** When it was appended there, in milliseconds since 1970. */
  timestamp: 'x-original-timestamp',
  group: 'x-consumer-group',
  error: 'x-error',
  /** Times that it was handed to the callback; 0: it could not be read. */
  attempts: 'x-attempts',
  /** Event name that the failed subscription asked for; empty: all. Absent: nobody could read it. */
  subscription: 'x-subscription',
  /** Retry topics only: not before this moment, in milliseconds since 1970. */
  dueAt: 'x-retry-due-at',
} as const;

const maxErrorLength = 1_024;

export interface Failure {
  readonly groupId: string;
  readonly error: unknown;
  readonly attempts: number;
  /** Undefined: no subscription could read the record. */
  readonly subscription: string | undefined;
  /** Only for a retry topic, in milliseconds since 1970. */
  readonly dueAtMs?: number;
}

/** The record as it goes to a dead letter or retry topic: same key, same bytes. */
export function toFailedRecord(record: StoredRecord, failure: Failure): OutgoingRecord {
  const names = failedRecordHeaders;
  const { [names.dueAt]: _due, [names.subscription]: _subscription, ...kept } = record.headers;
  const origin = {
    [names.topic]: record.topic,
    [names.partition]: String(record.partition),
    [names.offset]: String(record.offset),
    [names.timestamp]: String(record.timestampMs),
  };
  return {
    key: record.key,
    value: record.value,
    headers: {
      ...kept,
      ...(isFromRetryTopic(record) ? {} : origin),
      [names.group]: failure.groupId,
      [names.error]: toErrorText(failure.error),
      [names.attempts]: String(failure.attempts),
      ...(failure.subscription === undefined ? {} : { [names.subscription]: failure.subscription }),
      ...(failure.dueAtMs === undefined ? {} : { [names.dueAt]: String(failure.dueAtMs) }),
    },
  };
}

/** What a record says about the failures behind it. */
export interface PastFailures {
  readonly attempts: number;
  readonly subscription: string | undefined;
  /** In milliseconds since 1970; 0 when it does not say. */
  readonly dueAtMs: number;
}

/** Headers may have been written by anybody: what is not a number counts as 0. */
export function readPastFailures({ headers }: StoredRecord): PastFailures {
  return {
    attempts: toCount(headers[failedRecordHeaders.attempts]),
    subscription: headers[failedRecordHeaders.subscription],
    dueAtMs: toCount(headers[failedRecordHeaders.dueAt]),
  };
}

/**
 * A dead letter as it was before it failed, and the topic it came from; undefined when its headers
 * do not say. Replayed there it goes to every group again, not only to the one that failed.
 */
export function toReplay(
  deadLetter: Pick<StoredRecord, 'key' | 'value' | 'headers'>,
): { readonly topic: string; readonly record: OutgoingRecord } | undefined {
  const topic = deadLetter.headers[failedRecordHeaders.topic];
  if (topic === undefined) return undefined;
  const added: ReadonlySet<string> = new Set(Object.values(failedRecordHeaders));
  const kept = Object.entries(deadLetter.headers).filter(([name]) => !added.has(name));
  const { key, value } = deadLetter;
  return { topic, record: { key, value, headers: Object.fromEntries(kept) } };
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

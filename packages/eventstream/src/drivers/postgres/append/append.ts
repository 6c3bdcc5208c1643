import { PlatformError } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import type { Partitioner } from '../../../publish/partitioner.js';
import type { OutgoingRecord } from '../../../record.js';
import { toStoredHeaders } from '../storage/stored-headers.js';
import type { TopicDirectory } from '../storage/topic-directory.js';
import { appendRecords } from './append-store.js';

/** A record on its way into the log. */
export interface LogRecord extends OutgoingRecord {
  readonly topic: string;
}

export interface AppendOptions {
  /**
   * `commit` (the default): appenders of one key wait for one another until the end of their
   * transactions, so that their records stand in the order of the commits. Each key takes a place
   * in the server's table of locks, which has room for `max_locks_per_transaction` times
   * `max_connections` (6,400 unless configured otherwise).
   * `append`: they do not wait. For those who hold a lock of their own on what the key names, or
   * whose transaction does nothing else: a record still stands behind all that were committed before
   * it was appended.
   */
  readonly keyOrder?: 'commit' | 'append' | undefined;
  /**
   * Whether the commit tells readers at once. Default true. Postgres lets transactions that notify
   * commit one at a time: a caller with many short ones sets it to false, and calls `hint` after.
   */
  readonly notify?: boolean | undefined;
}

/** Where a record was appended. */
export interface AppendedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** What appending needs to know. */
export interface AppendRules {
  readonly topics: TopicDirectory;
  /** The one of a topic. */
  readonly partitionerOf: (topic: string) => Partitioner;
  /** Largest key and value together. */
  readonly maxBytes: number;
}

/** Puts records of any topics into their partitions, with one statement. */
export async function appendByKey(
  tx: Transaction,
  { topics: directory, partitionerOf, maxBytes }: AppendRules,
  records: readonly LogRecord[],
  { keyOrder = 'commit', notify = true }: AppendOptions = {},
): Promise<AppendedRecord[]> {
  if (records.length === 0) return [];
  checkSizes(records, maxBytes);
  const names = [...new Set(records.map(({ topic }) => topic))];
  const topics = await directory.ensure(tx, names);
  const places = records.map(({ topic, key, value, headers }) => {
    const shards = topics.get(topic)?.shards ?? [];
    const partition = partitionerOf(topic)(key, shards.length);
    const shard = shards[partition] ?? 0;
    return { topic, partition, shard, key, value, ...toStoredHeaders(headers) };
  });
  const manner = { lockKeys: keyOrder === 'commit', notify: notify ? names : [] };
  const offsets = await appendRecords(tx, places, manner);
  return places.map(({ topic, partition }, index) => ({
    topic,
    partition,
    offset: offsets[index] ?? 0n,
  }));
}

/** Puts records into one shard. Nothing else is done in the transaction: keys need no locks. */
export async function appendToShard(
  tx: Transaction,
  shard: number,
  records: readonly OutgoingRecord[],
): Promise<void> {
  const placed = records.map(({ key, value, headers }) => {
    return { shard, key, value, ...toStoredHeaders(headers) };
  });
  await appendRecords(tx, placed, { lockKeys: false, notify: [] });
}

/** @throws PlatformError `EVENT_TOO_LARGE` */
export function checkSizes(records: readonly OutgoingRecord[], maxBytes: number): void {
  for (const { key, value } of records) {
    checkSize((key?.length ?? 0) + (value?.length ?? 0), maxBytes);
  }
}

/** @throws PlatformError `EVENT_TOO_LARGE` */
export function checkSize(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new PlatformError('EVENT_TOO_LARGE', `a record of ${bytes} bytes; ${maxBytes} at most`);
}

import { PlatformError } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import type { Partitioner } from '../../../publish/partitioner.js';
import type { OutgoingRecord } from '../../../record.js';
import { toStoredHeaders } from '../storage/stored-headers.js';
import { type TopicAccess, toTopicApplications } from '../storage/topic-access.js';
import type { LogTopic, TopicDirectory } from '../storage/topic-directory.js';
import { appendRecords } from './append-store.js';

/** A record to append to the log. */
export interface LogRecord extends OutgoingRecord {
  readonly topic: string;
  /** Application of the record. Default: the one that its header names, if any. */
  readonly application?: string | undefined;
}

/** Options of an append. */
export interface AppendOptions {
  /**
   * `commit` (the default): appenders of one key wait for one another until the end of their
   * transactions, so that their records are in the order of the commits. Each key takes an entry in
   * the server's lock table, which has `max_locks_per_transaction` times `max_connections` entries
   * (6,400 by default). `append`: they do not wait. For appenders that already hold a lock on what
   * the key names, or whose transaction does nothing else. A record is still behind all that were
   * committed before its append.
   */
  readonly keyOrder?: 'commit' | 'append' | undefined;
  /**
   * True if the commit notifies readers. Postgres lets transactions that notify commit one at a
   * time: a caller with many short ones sets it to false and calls `hint` afterwards. Default true.
   */
  readonly notify?: boolean | undefined;
}

/** Position of an appended record. */
export interface AppendedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Rules of a log for appends. */
export interface AppendRules {
  readonly topics: TopicDirectory;
  readonly access: TopicAccess;
  /** Returns the partitioner of a topic. */
  readonly partitionerOf: (topic: string) => Partitioner;
  /** Largest key and value together. */
  readonly maxBytes: number;
}

/** Transaction and rules of an append. */
export interface AppendContext {
  readonly tx: Transaction;
  readonly rules: AppendRules;
}

/** Appends records of any topics to the partitions of their keys, with one statement. */
export async function appendByKey(
  { tx, rules }: AppendContext,
  records: readonly LogRecord[],
  { keyOrder = 'commit', notify = true }: AppendOptions = {},
): Promise<AppendedRecord[]> {
  if (records.length === 0) return [];
  checkSizes(records, rules.maxBytes);
  const names = [...new Set(records.map(({ topic }) => topic))];
  const topics = await rules.topics.ensure(tx, names);
  const placed = records.map((record) => {
    const { topic, key, value } = record;
    const shards = topics.get(topic)?.shards ?? [];
    const partition = rules.partitionerOf(topic)(key, shards.length);
    const shard = shards[partition] ?? 0;
    const stored = toStoredHeaders(record);
    const application = record.application ?? stored.application;
    return { topic, partition, shard, key, value, ...stored, application };
  });
  await rules.access.store(tx, topics, toTopicApplications(placed));
  const mode = { lockKeys: keyOrder === 'commit', notify: notify ? names : [] };
  const offsets = await appendRecords(tx, placed, mode);
  return placed.map(({ topic, partition }, index) => ({
    topic,
    partition,
    offset: offsets[index] ?? 0n,
  }));
}

/** Records to append to one shard. */
export interface ShardAppend {
  readonly topic: LogTopic;
  readonly shard: number;
  readonly records: readonly OutgoingRecord[];
}

/** Appends records to one shard. The transaction does nothing else, so keys need no locks. */
export async function appendToShard(
  { tx, rules }: AppendContext,
  { topic, shard, records }: ShardAppend,
): Promise<void> {
  const { name } = topic;
  const placed = records.map((record) => {
    const { key, value } = record;
    return { topic: name, shard, key, value, ...toStoredHeaders(record) };
  });
  await rules.access.store(tx, new Map([[name, topic]]), toTopicApplications(placed));
  await appendRecords(tx, placed, { lockKeys: false, notify: [] });
}

/** Checks the size of each record. @throws PlatformError `EVENT_TOO_LARGE` */
export function checkSizes(records: readonly OutgoingRecord[], maxBytes: number): void {
  for (const { key, value } of records) {
    checkSize((key?.length ?? 0) + (value?.length ?? 0), maxBytes);
  }
}

/** Checks the size of a record. @throws PlatformError `EVENT_TOO_LARGE` */
export function checkSize(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  const message = `a record has ${bytes} bytes; at most ${maxBytes} are allowed`;
  throw new PlatformError('EVENT_TOO_LARGE', message);
}

import { internalTopics, PlatformError } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import { offsetEnd } from '../../../driver.js';
import type { StoredRecord } from '../../../record.js';
import { type RangeRead, type RangeRequest, readNames, readRange } from '../read/read-store.js';
import type { LogTopic, TopicDirectory } from '../storage/topic-directory.js';
import {
  advanceGroup,
  type ClaimedShard,
  claimShard,
  ensureGroup,
  findDueShards,
  findGroups,
} from './group-store.js';
import type { SkippedRange } from './shard-reader.js';

/**
 * A request for records that are consumed in a transaction. The transaction also stores how far the
 * group has come: when it is rolled back, the next batch has the records again; when it commits, no
 * other batch has them. Several processes may read at once: each partition is read by one
 * transaction at a time, in its order.
 */
export interface GroupBatchRequest {
  /**
   * At least one topic; missing ones are created. `all`: every existing topic except those of
   * retries and dead letters.
   */
  readonly topics: readonly string[] | 'all';
  readonly groupId: string;
  /** Most records, 1 or more. */
  readonly limit: number;
  /** Bytes of values from which no further partition is read. Default 4 MiB. */
  readonly maxBytes?: number | undefined;
  /**
   * Start of a new group: `offsetEnd` (the default), `offsetBeginning` or an offset. A group that
   * begins at the end begins at the moment of its first request.
   */
  readonly startOffset?: bigint | undefined;
  /**
   * Returns which records are wanted; the others are consumed without being read. Called for each
   * partition once its end for this batch is fixed. Default: all records.
   */
  readonly choose?: (() => Promise<RecordChoice>) | undefined;
}

/**
 * Choice of records: none, or a function that returns true for the wanted topics and event names.
 * Records without a name are wanted, unless the choice is `none`.
 */
export type RecordChoice = 'none' | ((topic: string, name: string) => boolean);

/** Records of a batch. */
export interface GroupBatch {
  /** The records of each partition are next to one another. */
  readonly records: readonly StoredRecord[];
  /** Ranges that were dropped by age before this group had read them. */
  readonly skipped: readonly SkippedRange[];
  /**
   * True if there were more records: the batch is full, or a long range had none that was wanted.
   */
  readonly more: boolean;
}

/** Most offsets of a partition in which a batch looks for wanted records. */
const maxScanned = 10_000n;
/** Most partitions of a batch: transactions stay short, however many topics there are. */
const maxShards = 100;
/** Most groups that a batch creates, for topics that are new to a group that reads all. */
const maxNewGroups = 100;

/**
 * Reads a batch.
 * @throws PlatformError `OPTION_INVALID` for the limit; `EVENT_INVALID`; `DATABASE_*`
 */
export async function readGroupBatch(
  tx: Transaction,
  directory: TopicDirectory,
  request: GroupBatchRequest,
): Promise<GroupBatch> {
  const { limit, maxBytes = 4 * 1024 * 1024, choose } = request;
  if (!(Number.isInteger(limit) && limit >= 1)) {
    throw new PlatformError('OPTION_INVALID', `limit is ${limit}; use a whole number of 1 or more`);
  }
  const topics = await findTopics(tx, directory, request.topics);
  const complete = await createGroups(tx, topics, request);
  const all = topics.flatMap((topic) => topic.shards);
  const records: StoredRecord[] = [];
  const skipped: SkippedRange[] = [];
  let bytes = 0;
  let more = !complete;
  let shards = 0;
  // Each shard at most once, so that a busy one does not prolong the transaction.
  for (const due of await findDueShards(tx, all, request.groupId)) {
    if (records.length >= limit || bytes >= maxBytes || shards >= maxShards) {
      more = true;
      break;
    }
    const claimed = await claimShard(tx, due);
    if (!claimed) continue;
    shards += 1;
    const { topic, partition, offset: from, readable } = claimed;
    const rest = { limit: limit - records.length, maxBytes: maxBytes - bytes };
    const read = await readChosen(tx, claimed, { ...rest, choose });
    await advanceGroup(tx, claimed, read.next);
    if (read.first > from) {
      skipped.push({ topic, partition, groupId: request.groupId, from, to: read.first });
    }
    more ||= read.next < readable;
    for (const record of read.records) {
      bytes += record.value?.length ?? 0;
      records.push(record);
    }
  }
  return { records, skipped, more };
}

async function findTopics(
  tx: Transaction,
  directory: TopicDirectory,
  wanted: GroupBatchRequest['topics'],
): Promise<LogTopic[]> {
  const topics = wanted === 'all' ? await directory.listEventTopics(tx) : wanted;
  const seen = topics.filter((topic) => !internalTopics.has(topic));
  return [...(await directory.ensure(tx, seen)).values()];
}

/** Creates missing groups. Returns false if there are too many for one batch. */
async function createGroups(
  tx: Transaction,
  topics: readonly LogTopic[],
  { groupId, startOffset = offsetEnd }: GroupBatchRequest,
): Promise<boolean> {
  const known = await findGroups(tx, topics, groupId);
  const missing = topics.filter(({ id }) => !known.has(id));
  for (const topic of missing.slice(0, maxNewGroups)) {
    await ensureGroup(tx, topic, { groupId, startOffset });
  }
  return missing.length <= maxNewGroups;
}

/** Rest of a batch's limits, and its choice. */
type ShardRequest = Pick<RangeRequest, 'limit' | 'maxBytes'> & Pick<GroupBatchRequest, 'choose'>;

/** Reads the wanted records of a shard, from a range that is neither long nor large. */
async function readChosen(
  tx: Transaction,
  claimed: ClaimedShard,
  { limit, maxBytes, choose }: ShardRequest,
): Promise<RangeRead> {
  const { topic, shard, offset: from, readable } = claimed;
  const range = { from, limit, maxBytes };
  const choice = choose && (await choose());
  if (choice === undefined) return readRange(tx, claimed, { ...range, end: readable });
  if (choice === 'none') return { records: [], next: readable, first: from };
  const end = readable < from + maxScanned ? readable : from + maxScanned;
  const names = await readNames(tx, shard, { from, end });
  const wanted = names.filter((name) => name === null || choice(topic, name));
  if (wanted.length === 0) return { records: [], next: end, first: from };
  const named = wanted.filter((name) => name !== null);
  return readRange(tx, claimed, { ...range, end, names: named });
}

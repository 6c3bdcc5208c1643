import { PlatformError } from '@posthaste/contracts';
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
import type { SkippedRange } from './log-subscription.js';

/**
 * Records that are consumed in a transaction: how far the group has come is stored in it, so when it
 * is rolled back the next one gives them again, and when it commits nobody gets them again. Several
 * processes may ask at once: each partition is read by one transaction at a time, in its order.
 */
export interface GroupBatchRequest {
  /**
   * At least one. Those that are missing are made. `all`: every topic that there is, but those of
   * retries and dead letters.
   */
  readonly topics: readonly string[] | 'all';
  readonly groupId: string;
  /** Most records, 1 or more. */
  readonly limit: number;
  /** No partition gives more once the values of the batch are this many bytes. Default 4 MiB. */
  readonly maxBytes?: number | undefined;
  /**
   * Where a group that is new begins: `offsetEnd`, the default, `offsetBeginning` or a number. One
   * that begins at the end begins when it is first asked for.
   */
  readonly startOffset?: bigint | undefined;
  /**
   * What of it is wanted; the rest is consumed unread. Asked for each partition after it is settled
   * how far the batch goes in it. Default: everything.
   */
  readonly choose?: (() => Promise<RecordChoice>) | undefined;
}

/**
 * Nothing at all, or what fits by topic and event name. Records without a name are wanted unless
 * nothing is.
 */
export type RecordChoice = 'none' | ((topic: string, name: string) => boolean);

export interface GroupBatch {
  /** Each partition's are next to one another. */
  readonly records: readonly StoredRecord[];
  /** What was dropped by age before this group had read it. */
  readonly skipped: readonly SkippedRange[];
  /** There was more when it was looked: the batch is full, or nothing of a long stretch was wanted. */
  readonly more: boolean;
}

/** What a batch looks at in one partition to find what is wanted, at most. */
const maxScanned = 10_000n;
/** Partitions of a batch at most: transactions stay short, however many topics there are. */
const maxShards = 100;
/** Groups that a batch makes at most; of topics that are new to a group that reads all. */
const maxNewGroups = 100;

/** @throws PlatformError `OPTION_INVALID` for the limit; `EVENT_INVALID`; `DATABASE_*` */
export async function readGroupBatch(
  tx: Transaction,
  directory: TopicDirectory,
  request: GroupBatchRequest,
): Promise<GroupBatch> {
  const { limit, maxBytes = 4 * 1024 * 1024 } = request;
  if (!(Number.isInteger(limit) && limit >= 1)) {
    throw new PlatformError('OPTION_INVALID', `a batch of ${limit} records`);
  }
  const topics = await findTopics(tx, directory, request.topics);
  const complete = await makeGroups(tx, topics, request);
  const all = topics.flatMap((topic) => topic.shards);
  const records: StoredRecord[] = [];
  const skipped: SkippedRange[] = [];
  let bytes = 0;
  let more = !complete;
  let shards = 0;
  // Each shard once at most, lest a busy one keep the transaction going.
  for (const due of await findDueShards(tx, all, request.groupId)) {
    if (records.length >= limit || bytes >= maxBytes || shards >= maxShards) {
      more = true;
      break;
    }
    const claimed = await claimShard(tx, due);
    if (!claimed) continue;
    shards += 1;
    const { topic, partition, offset: from, readable } = claimed;
    const room = { limit: limit - records.length, maxBytes: maxBytes - bytes };
    const read = await readChosen(tx, claimed, room, request.choose);
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
  const topics = wanted === 'all' ? await directory.listOwn(tx) : wanted;
  return [...(await directory.ensure(tx, topics)).values()];
}

/** Makes the groups that are missing; gives whether that was all, and not too many for one batch. */
async function makeGroups(
  tx: Transaction,
  topics: readonly LogTopic[],
  { groupId, startOffset = offsetEnd }: GroupBatchRequest,
): Promise<boolean> {
  const known = await findGroups(tx, topics, groupId);
  const missing = topics.filter(({ id }) => !known.has(id));
  for (const topic of missing.slice(0, maxNewGroups)) {
    await ensureGroup(tx, topic, groupId, startOffset);
  }
  return missing.length <= maxNewGroups;
}

type Room = Pick<RangeRequest, 'limit' | 'maxBytes'>;

/** What is wanted of a shard, in a part of it that is neither long nor large. */
async function readChosen(
  tx: Transaction,
  claimed: ClaimedShard,
  room: Room,
  choose: GroupBatchRequest['choose'],
): Promise<RangeRead> {
  const { topic, shard, offset: from, readable } = claimed;
  const choice = choose && (await choose());
  if (choice === undefined) return readRange(tx, claimed, { ...room, from, end: readable });
  if (choice === 'none') return { records: [], next: readable, first: from };
  const end = readable < from + maxScanned ? readable : from + maxScanned;
  const names = await readNames(tx, shard, { from, end });
  const wanted = names.filter((name) => name === null || choice(topic, name));
  if (wanted.length === 0) return { records: [], next: end, first: from };
  const named = wanted.filter((name) => name !== null);
  return readRange(tx, claimed, { ...room, from, end, names: named });
}

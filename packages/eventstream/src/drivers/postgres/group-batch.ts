import { PlatformError } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import { offsetEnd } from '../../driver.js';
import type { StoredRecord } from '../../record.js';
import { advanceGroup, claimShard, ensureGroup, findGroups } from './group-store.js';
import type { SkippedRange } from './log-subscription.js';
import { readRange } from './read-store.js';
import type { TopicDirectory } from './topic-directory.js';

/**
 * Records that are consumed in a transaction: how far the group has come is stored in it, so when it
 * is rolled back the next one gives them again, and when it commits nobody gets them again. Several
 * processes may ask at once: each partition is read by one transaction at a time, in its order.
 */
export interface GroupBatchRequest {
  /** At least one. Those that are missing are made. */
  readonly topics: readonly string[];
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
}

export interface GroupBatch {
  /** None: there is nothing now that nobody else reads. Each partition's are next to one another. */
  readonly records: readonly StoredRecord[];
  /** What was dropped by age before this group had read it. */
  readonly skipped: readonly SkippedRange[];
}

/** @throws PlatformError `OPTION_INVALID` for the limit; `EVENT_INVALID`; `DATABASE_*` */
export async function readGroupBatch(
  tx: Transaction,
  directory: TopicDirectory,
  request: GroupBatchRequest,
): Promise<GroupBatch> {
  const { groupId, limit, maxBytes = 4 * 1024 * 1024, startOffset = offsetEnd } = request;
  if (!(Number.isInteger(limit) && limit >= 1)) {
    throw new PlatformError('OPTION_INVALID', `a batch of ${limit} records`);
  }
  const topics = [...(await directory.ensure(tx, request.topics)).values()];
  const known = await findGroups(tx, topics, groupId);
  const groups: number[] = [];
  for (const topic of topics) {
    groups.push(known.get(topic.id) ?? (await ensureGroup(tx, topic, groupId, startOffset)));
  }
  const records: StoredRecord[] = [];
  const skipped: SkippedRange[] = [];
  let bytes = 0;
  // Each shard once at most, lest a busy one keep the transaction going.
  let turns = topics.reduce((count, { shards }) => count + shards.length, 0);
  while (turns-- > 0 && records.length < limit && bytes < maxBytes) {
    const claimed = await claimShard(tx, groups);
    if (!claimed) break;
    const { topic, partition, offset: from, readable: end } = claimed;
    const range = { from, end, limit: limit - records.length, maxBytes: maxBytes - bytes };
    const read = await readRange(tx, claimed, range);
    await advanceGroup(tx, claimed, read.next);
    if (read.first > from) skipped.push({ topic, partition, groupId, from, to: read.first });
    for (const record of read.records) {
      bytes += record.value?.length ?? 0;
      records.push(record);
    }
  }
  return { records, skipped };
}

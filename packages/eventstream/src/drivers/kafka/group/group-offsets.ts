import type { Cluster } from 'kafkajs';
import { type GroupLag, offsetBeginning, offsetEnd } from '../../../driver.js';

/** Protocol type of groups of consumers; those of Kafka Connect, for one, have another. */
export const consumerProtocolType = 'consumer';

/** Offsets of the records that a partition has. */
export interface OffsetRange {
  /** Offset of the oldest record that is kept. */
  readonly first: bigint;
  /** Offset that the next record will get. */
  readonly end: bigint;
}

/**
 * Returns where reading begins in a partition without a committed offset.
 * @param isNew true if the partition was created after the subscription: then every record in it is
 * read, because all were appended since
 */
export function toStartOffset(
  startOffset: bigint,
  { first, end }: OffsetRange,
  isNew: boolean,
): bigint {
  if (isNew || startOffset === offsetBeginning) return first;
  if (startOffset === offsetEnd || startOffset > end) return end;
  return startOffset < first ? first : startOffset;
}

/** Asks the leaders of the partitions for their ranges, over kafkajs. */
export async function readOffsetRanges(
  fetchTopicsOffset: Cluster['fetchTopicsOffset'],
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, OffsetRange>> {
  const wanted = partitions.map((partition) => ({ partition }));
  const [firsts, ends] = await Promise.all([
    fetchTopicsOffset([{ topic, partitions: wanted, fromBeginning: true }]),
    fetchTopicsOffset([{ topic, partitions: wanted, fromBeginning: false }]),
  ]);
  const endOf = new Map(ends.flatMap((found) => found.partitions.map(toEntry)));
  const entries = firsts.flatMap((found) => found.partitions.map(toEntry));
  return new Map(
    entries.map(([partition, first]) => [partition, { first, end: endOf.get(partition) ?? first }]),
  );
}

function toEntry(found: { partition: number; offset: string }): [number, bigint] {
  return [found.partition, BigInt(found.offset)];
}

export interface GroupOffsets {
  readonly groupId: string;
  readonly topic: string;
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  /**
   * Committed offsets by partition. An offset below 0, like none, says that nothing is committed.
   */
  readonly committed: ReadonlyMap<number, bigint>;
}

/** Returns the number of records that a group has not read yet, by partition. */
export function toGroupLag({ groupId, topic, ranges, committed }: GroupOffsets): GroupLag {
  const sorted = [...ranges].sort(([a], [b]) => a - b);
  return {
    groupId,
    topic,
    partitions: sorted.map(([partition, { first, end }]) => {
      const offset = committed.get(partition) ?? -1n;
      const known = offset < 0n ? undefined : offset;
      const unread = end - (known ?? first);
      return { partition, committed: known, end, lag: unread > 0n ? unread : 0n };
    }),
  };
}

/** True if the group has ever committed an offset of the topic; else it does not read it. */
export function hasCommitted({ partitions }: GroupLag): boolean {
  return partitions.some(({ committed }) => committed !== undefined);
}

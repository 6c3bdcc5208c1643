import type { Cluster } from 'kafkajs';
import { offsetBeginning, offsetEnd } from '../../../driver.js';

/** Which offsets a partition has records at. */
export interface OffsetRange {
  /** The oldest record that is kept. */
  readonly first: bigint;
  /** Where the next record will be. */
  readonly end: bigint;
}

/**
 * Where reading begins in a partition without a committed offset. One that appeared after the
 * subscription is read whole: everything in it came since.
 */
export function toStartOffset(
  startOffset: bigint,
  { first, end }: OffsetRange,
  appearedSince: boolean,
): bigint {
  if (appearedSince || startOffset === offsetBeginning) return first;
  if (startOffset === offsetEnd || startOffset > end) return end;
  return startOffset < first ? first : startOffset;
}

/** Asks the leaders which offsets there are. */
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

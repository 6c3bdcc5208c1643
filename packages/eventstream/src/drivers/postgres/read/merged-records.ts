import type { StoredRecord } from '../../../record.js';

/** Limits of a page, or of the records that are read for it. */
export interface PageLimits {
  readonly limit: number;
  /** Bytes of keys and values. The record that exceeds it is still included. */
  readonly maxBytes: number;
}

/** Returns a key for a record's partition among those of several topics. */
export const partitionKeyOf = ({
  topic,
  partition,
}: Pick<StoredRecord, 'topic' | 'partition'>): string => `${partition} ${topic}`;

/** Merges records of several partitions by time. Those of one partition keep their own order. */
export function mergeInTime(records: readonly StoredRecord[]): StoredRecord[] {
  const sorted = records.toSorted((a, b) => a.timestampMs - b.timestampMs || byOffset(a, b));
  // Times of one partition are not exactly in the order of its offsets, so that order is restored.
  const partitions = Map.groupBy(sorted, partitionKeyOf);
  for (const own of partitions.values()) own.sort((a, b) => (a.offset < b.offset ? -1 : 1));
  const placed = new Map<string, number>();
  return sorted.map((record) => {
    const key = partitionKeyOf(record);
    const index = placed.get(key) ?? 0;
    placed.set(key, index + 1);
    return partitions.get(key)?.[index] ?? record;
  });
}

/**
 * Finds the partitions of which perhaps not all records were read, because they reached a limit.
 * Returns the offset of the last record by partition key.
 */
export function findCuts(
  merged: readonly StoredRecord[],
  { limit, maxBytes }: PageLimits,
): ReadonlyMap<string, bigint> {
  const cuts = new Map<string, bigint>();
  for (const [key, found] of Map.groupBy(merged, partitionKeyOf)) {
    const bytes = found.reduce((sum, record) => sum + bytesOf(record), 0);
    const last = found.at(-1);
    if (last && (found.length >= limit || bytes >= maxBytes)) cuts.set(key, last.offset);
  }
  return cuts;
}

/**
 * Returns the first merged records that fit the limits, up to the first cut: records of that
 * partition that were not read may be older than the next records of other partitions.
 */
export function selectPage(
  merged: readonly StoredRecord[],
  { limit, maxBytes }: PageLimits,
  cuts: ReadonlyMap<string, bigint>,
): StoredRecord[] {
  const page: StoredRecord[] = [];
  let bytes = 0;
  for (const record of merged) {
    page.push(record);
    bytes += bytesOf(record);
    const isCut = cuts.get(partitionKeyOf(record)) === record.offset;
    if (page.length >= limit || bytes >= maxBytes || isCut) break;
  }
  return page;
}

function bytesOf({ key, value }: StoredRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

function byOffset(a: StoredRecord, b: StoredRecord): number {
  return a.partition - b.partition || (a.offset < b.offset ? -1 : 1);
}

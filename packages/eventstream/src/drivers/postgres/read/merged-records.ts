import type { StoredRecord } from '../../../record.js';

/** How much is fetched or shown. */
export interface PageLimits {
  readonly limit: number;
  /** Of keys and values. The record that goes over it is still taken. */
  readonly maxBytes: number;
}

/** The partition that a record is in, among those of several topics. */
export const partitionKeyOf = ({
  topic,
  partition,
}: Pick<StoredRecord, 'topic' | 'partition'>): string => `${partition} ${topic}`;

/** The records of several partitions in the order of their times, and within each in its own. */
export function mergeInTime(records: readonly StoredRecord[]): StoredRecord[] {
  const sorted = records.toSorted((a, b) => a.timestampMs - b.timestampMs || inOrder(a, b));
  // Times of one partition are not quite in its order: what was sorted by them is put right again.
  const lanes = Map.groupBy(sorted, partitionKeyOf);
  for (const lane of lanes.values()) lane.sort((a, b) => (a.offset < b.offset ? -1 : 1));
  const taken = new Map<string, number>();
  return sorted.map((record) => {
    const lane = partitionKeyOf(record);
    const index = taken.get(lane) ?? 0;
    taken.set(lane, index + 1);
    return lanes.get(lane)?.[index] ?? record;
  });
}

/**
 * Where partitions of merged records end of which, for all that is known, not everything was
 * fetched: the offset of the last record, by lane.
 */
export function findCuts(
  merged: readonly StoredRecord[],
  { limit, maxBytes }: PageLimits,
): ReadonlyMap<string, bigint> {
  const cuts = new Map<string, bigint>();
  for (const [lane, found] of Map.groupBy(merged, partitionKeyOf)) {
    const bytes = found.reduce((sum, record) => sum + bytesOf(record), 0);
    const last = found.at(-1);
    if (last && (found.length >= limit || bytes >= maxBytes)) cuts.set(lane, last.offset);
  }
  return cuts;
}

/**
 * The first of merged records that there is room for, up to where a partition was cut: what follows
 * there may be older than what follows elsewhere.
 */
export function selectPage(
  merged: readonly StoredRecord[],
  { limit, maxBytes }: PageLimits,
  cuts: ReadonlyMap<string, bigint>,
): StoredRecord[] {
  const first: StoredRecord[] = [];
  let bytes = 0;
  for (const record of merged) {
    first.push(record);
    bytes += bytesOf(record);
    const isCut = cuts.get(partitionKeyOf(record)) === record.offset;
    if (first.length >= limit || bytes >= maxBytes || isCut) break;
  }
  return first;
}

function bytesOf({ key, value }: StoredRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

function inOrder(a: StoredRecord, b: StoredRecord): number {
  return a.partition - b.partition || (a.offset < b.offset ? -1 : 1);
}

import { PlatformError } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import type { Partitioner } from '../../../publish/partitioner.js';
import type { StoredRecord } from '../../../record.js';
import type { Readers, TopicAccess } from '../storage/topic-access.js';
import type { TopicDirectory } from '../storage/topic-directory.js';
import { findRanges, type ScannedShard, type ScanRange, scanRanges } from './event-scan.js';
import { findCuts, mergeInTime, partitionKeyOf, selectPage } from './merged-records.js';

/** A query for one page of records. */
export interface EventQuery extends Readers {
  /** At least one topic. All must exist, and the readers may see them. */
  readonly topics: readonly string[];
  /** The event's name, the record's `ce_type` header, or a pattern of names: `order.*`, `order.**`. */
  readonly name?: string | undefined;
  /** The record's key. Only the partition of the key is searched. */
  readonly key?: Buffer | undefined;
  /** Appended at this moment or later. */
  readonly since?: Date | undefined;
  /** Appended before this moment. */
  readonly until?: Date | undefined;
  /** `next` of the page before. Absent: the page starts at `from`. */
  readonly cursor?: string | undefined;
  /** Start without a cursor. Default `beginning`. */
  readonly from?: 'beginning' | 'end' | undefined;
  /** Most records of the page, 1 to 1,000. Default 50. */
  readonly limit?: number | undefined;
  /**
   * The page ends with the record with which its keys and values reach this many bytes. Default 4
   * MiB.
   */
  readonly maxBytes?: number | undefined;
}

/**
 * A page of records in the order of their times, and within a partition in the order of their
 * offsets. A page may have few records or none and still be followed by others: each page scans a
 * bounded number of records, whether they match or not.
 */
export interface EventPage {
  readonly records: readonly StoredRecord[];
  /** Cursor of the next page, which always exists. Opaque. */
  readonly next: string;
  /** True if there were no more records when the page was read. The next page has later records. */
  readonly isLast: boolean;
  /** Returns the cursor of the page after the record with this index; -1: of all records. */
  cursorAfter(index: number): string;
}

const defaultLimit = 50;
const maxLimit = 1_000;
const defaultMaxBytes = 4 * 1_048_576;
/** Least bytes of keys and values that are read of one partition, before all are merged. */
const minShardBytes = 65_536;

/** Topics and partitioners of a log. */
export interface EventPlaces {
  readonly topics: TopicDirectory;
  readonly access: TopicAccess;
  readonly partitionerOf: (topic: string) => Partitioner;
}

/** Reads one page. @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID`, `DATABASE_*` */
export async function listEvents(
  db: Queryable,
  places: EventPlaces,
  query: EventQuery,
): Promise<EventPage> {
  const limit = checkLimit(query.limit);
  const { maxBytes = defaultMaxBytes, cursor, since, from } = query;
  const shards = await findShards(db, places, query);
  const positions = cursor === undefined ? undefined : parseEventCursor(cursor);
  const ranges = await findRanges(db, shards, { positions, since, from });
  // Divided, because the records of all partitions are in memory at once.
  const shardBytes = Math.max(minShardBytes, Math.ceil(maxBytes / ranges.length));
  const shardLimits = { limit, maxBytes: shardBytes };
  const found = await scanRanges(db, ranges, { ...query, ...shardLimits });
  const merged = mergeInTime(found);
  const cuts = findCuts(merged, shardLimits);
  const records = selectPage(merged, { limit, maxBytes }, cuts);
  const next = ranges.map((range) => positionAfter(range, { found, records, cuts }));
  const nextCursor = toEventCursor(new Map(ranges.map(({ shard }, i) => [shard, next[i] ?? 0n])));
  return {
    records,
    next: nextCursor,
    isLast: ranges.every(({ readable }, index) => (next[index] ?? 0n) >= readable),
    cursorAfter: (index) =>
      index < records.length - 1
        ? toEventCursor(positionsAfter(ranges, records.slice(0, index + 1)))
        : nextCursor,
  };
}

function checkLimit(limit = defaultLimit): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= maxLimit) return limit;
  throw new PlatformError('REQUEST_INVALID', `limit must be 1 to ${maxLimit}`);
}

/** Returns the shards of the topics, or only those of the key. */
async function findShards(
  db: Queryable,
  { topics: directory, access, partitionerOf }: EventPlaces,
  { topics, key, ...readers }: EventQuery,
): Promise<ScannedShard[]> {
  if (topics.length === 0) throw new PlatformError('REQUEST_INVALID', 'name at least one topic');
  const found: ScannedShard[] = [];
  const names = [...new Set(topics)];
  const views = await access.viewsOf(db, names, readers);
  for (const [index, topic] of names.entries()) {
    const { shards } = await directory.get(db, topic);
    const includesUnnamed = views[index]?.includesUnnamed ?? false;
    const only = key && partitionerOf(topic)(key, shards.length);
    shards.forEach((shard, partition) => {
      if (only === undefined || only === partition)
        found.push({ shard, topic, partition, includesUnnamed });
    });
  }
  return found;
}

/** Records that were found for a page, the ones on it, and the partitions that were cut. */
interface PageContent {
  readonly found: readonly StoredRecord[];
  readonly records: readonly StoredRecord[];
  readonly cuts: ReadonlyMap<string, bigint>;
}

/**
 * Returns the offset after the last record of the shard on the page; the end of the scanned range
 * when all matching records are on the page.
 */
function positionAfter(range: ScanRange, { found, records, cuts }: PageContent): bigint {
  const key = partitionKeyOf(range);
  const isOwn = (record: StoredRecord): boolean =>
    record.topic === range.topic && record.partition === range.partition;
  const shown = records.filter(isOwn);
  if (shown.length === found.filter(isOwn).length && !cuts.has(key)) return range.to;
  return (shown.at(-1)?.offset ?? range.from - 1n) + 1n;
}

/** Returns the positions after these records, by shard. */
function positionsAfter(
  ranges: readonly ScanRange[],
  records: readonly StoredRecord[],
): ReadonlyMap<number, bigint> {
  const shown = new Map(records.map((record) => [partitionKeyOf(record), record.offset]));
  return new Map(
    ranges.map((range) => {
      const last = shown.get(partitionKeyOf(range));
      return [range.shard, last === undefined ? range.from : last + 1n];
    }),
  );
}

const cursorPattern = /^\d{1,10}:\d{1,19}(?:,\d{1,10}:\d{1,19})*$/;
const maxOffset = 2n ** 62n;

/** Writes a position in several shards: an offset for each, such as `1:1042,2:7`, in base64url. */
function toEventCursor(positions: ReadonlyMap<number, bigint>): string {
  const text = [...positions].map(([shard, offset]) => `${shard}:${offset}`).join(',');
  return Buffer.from(text).toString('base64url');
}

/** @throws PlatformError `REQUEST_INVALID` */
function parseEventCursor(cursor: string): ReadonlyMap<number, bigint> {
  const text = Buffer.from(cursor, 'base64url').toString();
  const positions = new Map<number, bigint>();
  if (cursorPattern.test(text)) {
    for (const pair of text.split(',')) {
      const [shard = '', offset = ''] = pair.split(':');
      const place = BigInt(offset);
      if (place < maxOffset) positions.set(Number(shard), place);
    }
  }
  if (positions.size > 0) return positions;
  throw new PlatformError('REQUEST_INVALID', 'the cursor is invalid; use `next` of a page');
}

import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Partitioner } from '../../../publish/partitioner.js';
import type { StoredRecord } from '../../../record.js';
import { fromStoredHeaders, type HeadersRow } from '../storage/stored-headers.js';
import type { TopicDirectory } from '../storage/topic-directory.js';
import { parseEventCursor, toEventCursor } from './event-cursor.js';
import {
  findCuts,
  mergeInTime,
  type PageLimits,
  partitionKeyOf,
  selectPage,
} from './merged-records.js';
import { readableEnds } from './read-store.js';

/** Which records are asked for, and which part of them. */
export interface EventQuery {
  /** At least one, all of which exist. */
  readonly topics: readonly string[];
  /** The event's name: the record's `ce_type` header. */
  readonly name?: string | undefined;
  /** The record's key. Looks only into the partition that the key belongs to. */
  readonly key?: Buffer | undefined;
  /** Appended at this moment or later. */
  readonly since?: Date | undefined;
  /** Appended before this moment. */
  readonly until?: Date | undefined;
  /** `next` of the page before. Absent: from the first that is there, or from the end. */
  readonly cursor?: string | undefined;
  /** Where to begin without a cursor. Default `beginning`. */
  readonly from?: 'beginning' | 'end' | undefined;
  /** Records at most, 1 to 1,000. Default 50. */
  readonly limit?: number | undefined;
  /** The page ends with the record that makes its keys and values this many bytes or more. Default 4 MiB. */
  readonly maxBytes?: number | undefined;
}

/**
 * Records in the order of their times, and within a partition in its own. A page may have few
 * records, or none, and still be followed by others: it looks at a bounded number, whether they
 * match or not.
 */
export interface EventPage {
  readonly records: readonly StoredRecord[];
  /** Where the next page starts; there always is one. Opaque. */
  readonly next: string;
  /** There was no more when it was looked: the next page has what will be appended. */
  readonly isLast: boolean;
  /** Where a page starts that has what comes behind this record, by its index; -1: all of them. */
  cursorAfter(index: number): string;
}

/** What one page looks at in each partition, at most. */
const maxScanned = 10_000n;
const defaultLimit = 50;
const maxLimit = 1_000;
const defaultMaxBytes = 4 * 1_048_576;
/** What is fetched of one partition, in bytes of keys and values, before the records of all are merged. */
const minShardBytes = 65_536;
/** Records of one partition stand in the order of their times but for this much, in milliseconds. */
const disorderMs = 60_000;

/** Where the records of a key are. */
export interface EventPlaces {
  readonly topics: TopicDirectory;
  readonly partitionerOf: (topic: string) => Partitioner;
}

/** One partition on a page. */
interface PageShard {
  readonly shard: number;
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
  /** Looked at below this. */
  readonly to: bigint;
  readonly readable: bigint;
}

/** @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID`, `DATABASE_*` */
export async function listEvents(
  db: Queryable,
  places: EventPlaces,
  query: EventQuery,
): Promise<EventPage> {
  const limit = pageLimit(query.limit);
  const { maxBytes = defaultMaxBytes } = query;
  const names = await findShards(db, places, query);
  const shards = await placeShards(db, names, query);
  // Divided, because those of all partitions are in memory at once.
  const room = { limit, maxBytes: Math.max(minShardBytes, Math.ceil(maxBytes / shards.length)) };
  const rows = await scanShards(db, shards, query, room);
  const records = mergeInTime(rows);
  const cuts = findCuts(records, room);
  const page = selectPage(records, { limit, maxBytes }, cuts);
  const positions = shards.map((shard) => [shard.shard, nextOf(shard, rows, page, cuts)] as const);
  const isLast = shards.every(({ readable }, index) => (positions[index]?.[1] ?? 0n) >= readable);
  const next = toEventCursor(new Map(positions));
  const cursorAfter = (index: number): string =>
    index < page.length - 1 ? toEventCursor(positionsAfter(shards, page, index)) : next;
  return { records: page, next, isLast, cursorAfter };
}

function pageLimit(limit = defaultLimit): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= maxLimit) return limit;
  throw new PlatformError('REQUEST_INVALID', `limit must be 1 to ${maxLimit}`);
}

type ShardOfTopic = Pick<PageShard, 'shard' | 'topic' | 'partition'>;

async function findShards(
  db: Queryable,
  { topics: directory, partitionerOf }: EventPlaces,
  { topics, key }: EventQuery,
): Promise<ShardOfTopic[]> {
  if (topics.length === 0) throw new PlatformError('REQUEST_INVALID', 'no topic is named');
  const found: ShardOfTopic[] = [];
  for (const topic of new Set(topics)) {
    const { shards } = await directory.get(db, topic);
    const only = key && partitionerOf(topic)(key, shards.length);
    shards.forEach((shard, partition) => {
      if (only === undefined || only === partition) found.push({ shard, topic, partition });
    });
  }
  return found;
}

const firstStatement: Statement = {
  name: 'eventstream_first_offsets',
  text: `
select s.id, s.first_offset, case when $2::timestamptz is not null
  then eventstream.offset_at(s.id, $2, s.first_offset, e.readable) end as since_offset
from unnest($1::integer[], $3::bigint[]) as e(shard, readable)
join eventstream.shard s on s.id = e.shard`,
};

interface FirstRow {
  readonly id: number;
  readonly first_offset: bigint;
  readonly since_offset: bigint | null;
}

/** Where each shard's part of the page begins and ends. */
async function placeShards(
  db: Queryable,
  shards: readonly ShardOfTopic[],
  { cursor, since, from }: EventQuery,
): Promise<PageShard[]> {
  const ids = shards.map(({ shard }) => shard);
  const ends = await readableEnds(db, ids);
  const readable = ids.map((id) => ends.get(id)?.readable ?? 0n);
  const positions = cursor === undefined ? undefined : parseEventCursor(cursor);
  const sought = since && positions === undefined && from !== 'end' ? since : undefined;
  const earliest = sought ? new Date(sought.getTime() - disorderMs) : null;
  const { rows } = await db.query<FirstRow>(firstStatement, [ids, earliest, readable]);
  const firsts = new Map(rows.map((row) => [row.id, row.since_offset ?? row.first_offset]));
  return shards.map((shard, index) => {
    const end = readable[index] ?? 0n;
    const first = firsts.get(shard.shard) ?? 0n;
    const begin = positions ? (positions.get(shard.shard) ?? 0n) : from === 'end' ? end : first;
    const start = begin > first ? begin : first;
    const to = end < start + maxScanned ? end : start + maxScanned;
    return { ...shard, from: start, to: to > start ? to : start, readable: end };
  });
}

interface ScanRow extends HeadersRow {
  readonly shard_id: number;
  readonly offset: bigint;
  readonly appended_at: Date;
  readonly key: Buffer | null;
}

/**
 * Index: `record_offset`. Looks at the range of each shard at most, for `limit` that match. Values are
 * measured without being read.
 */
const scanStatement: Statement = {
  name: 'eventstream_scan',
  text: `
select r.shard_id, r."offset", r.appended_at, r.name, r.key, r.value, r.headers
from unnest($1::integer[], $2::bigint[], $3::bigint[]) as e(shard, low, high)
cross join lateral (
  select * from (
    select *, sum(bytes) over (order by "offset") - bytes as bytes_before
    from (
      select octet_length(coalesce(key, '')) + octet_length(coalesce(value, '')) as bytes,
        shard_id, "offset", appended_at, name, key, value, headers
      from eventstream.record
      where shard_id = e.shard and "offset" >= e.low and "offset" < e.high and segment >= (
          select coalesce(max(f.segment), 0) from eventstream.segment_start f
          where f.shard_id = e.shard and f.first_offset <= e.low
        )
        and ($5::text is null or name = $5) and ($6::bytea is null or key = $6)
        and ($7::timestamptz is null or appended_at >= $7)
        and ($8::timestamptz is null or appended_at < $8)
      order by "offset" limit $4
    ) as found
  ) as measured
  where bytes_before < $9
) as r`,
};

async function scanShards(
  db: Queryable,
  shards: readonly PageShard[],
  { name, key, since, until }: EventQuery,
  { limit, maxBytes }: PageLimits,
): Promise<StoredRecord[]> {
  const { rows } = await db.query<ScanRow>(scanStatement, [
    shards.map(({ shard }) => shard),
    shards.map(({ from }) => from),
    shards.map(({ to }) => to),
    ...[limit, name ?? null, key ?? null, since ?? null, until ?? null, maxBytes],
  ]);
  const byId = new Map(shards.map((shard) => [shard.shard, shard]));
  return rows.flatMap((row) => {
    const { shard_id, offset, appended_at, key: rowKey, value } = row;
    const shard = byId.get(shard_id);
    if (!shard) return [];
    const { topic, partition } = shard;
    const timestampMs = appended_at.getTime();
    const stored = { topic, partition, offset, key: rowKey, value, timestampMs };
    return [{ ...stored, headers: fromStoredHeaders(row) }];
  });
}

/** Behind the last record on the page; or where looking ended, when all that matched are on it. */
function nextOf(
  { topic, partition, from, to }: PageShard,
  rows: readonly StoredRecord[],
  page: readonly StoredRecord[],
  cuts: ReadonlyMap<string, bigint>,
): bigint {
  const own = (record: StoredRecord): boolean =>
    record.topic === topic && record.partition === partition;
  const found = rows.filter(own).length;
  const shown = page.filter(own);
  if (shown.length === found && !cuts.has(partitionKeyOf({ topic, partition }))) return to;
  return (shown.at(-1)?.offset ?? from - 1n) + 1n;
}

/** Behind the first records of the page, in the partitions that they are in. */
function positionsAfter(
  shards: readonly PageShard[],
  page: readonly StoredRecord[],
  index: number,
): ReadonlyMap<number, bigint> {
  const shown = new Map(
    page.slice(0, index + 1).map((record) => [partitionKeyOf(record), record.offset]),
  );
  return new Map(
    shards.map((shard) => {
      const last = shown.get(partitionKeyOf(shard));
      return [shard.shard, last === undefined ? shard.from : last + 1n];
    }),
  );
}

import {
  type Applications,
  toApplicationColumn,
  toEventNameRegExp,
  toEventPattern,
} from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { StoredRecord } from '../../../record.js';
import { fromStoredHeaders, fromStoredList, type HeadersRow } from '../storage/stored-headers.js';
import type { PageLimits } from './merged-records.js';
import { readableEnds, type ShardName } from './read-store.js';

/** A shard to scan. */
export interface ScannedShard extends ShardName {
  /** True if records without an application are among those that are sought. */
  readonly includesUnnamed: boolean;
}

/** A range of a shard to scan for one page. */
export interface ScanRange extends ScannedShard {
  readonly from: bigint;
  /** End of the range, exclusive. */
  readonly to: bigint;
  /** End of the shard's readable part. */
  readonly readable: bigint;
}

/** Start of a scan. */
export interface ScanStart {
  /** Offsets by shard, from the cursor. Absent: no cursor was given. */
  readonly positions?: ReadonlyMap<number, bigint> | undefined;
  /** Appended at this moment or later. */
  readonly since?: Date | undefined;
  /** Start without a cursor. Default `beginning`. */
  readonly from?: 'beginning' | 'end' | undefined;
}

/** Filter and limits of a scan. */
export interface ScanFilter extends PageLimits {
  /** Applications whose records are sought. */
  readonly within: Applications;
  /** A name, or a pattern of names. */
  readonly name?: string | undefined;
  readonly key?: Buffer | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** Most offsets of a shard that one page scans. */
const maxScanned = 10_000n;
/**
 * Largest disorder of times in one partition, in ms: they are only roughly in the order of offsets.
 */
const disorderMs = 60_000;

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

/** Finds the range of each shard that one page scans. */
export async function findRanges(
  db: Queryable,
  shards: readonly ScannedShard[],
  { positions, since, from }: ScanStart,
): Promise<ScanRange[]> {
  const ids = shards.map(({ shard }) => shard);
  const ends = await readableEnds(db, ids);
  const readable = ids.map((id) => ends.get(id)?.readable ?? 0n);
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
 * Index: `record_offset`. Scans at most the range of each shard, for `limit` matching records.
 * Values are measured without being read.
 */
const scanStatement: Statement = {
  name: 'eventstream_scan',
  text: `
select r.shard_id, r."offset", r.appended_at, r.name, r.key, r.value, r.headers, r.application
from unnest($1::integer[], $2::bigint[], $3::bigint[], $12::boolean[])
  as e(shard, low, high, includes_unnamed)
cross join lateral (
  select * from (
    select *, sum(bytes) over (order by "offset") - bytes as bytes_before
    from (
      select octet_length(coalesce(key, '')) + octet_length(coalesce(value, '')) as bytes,
        shard_id, "offset", appended_at, name, key, value, headers, application
      from eventstream.record
      where shard_id = e.shard and "offset" >= e.low and "offset" < e.high and segment >= (
          select coalesce(max(f.segment), 0) from eventstream.segment_start f
          where f.shard_id = e.shard and f.first_offset <= e.low
        )
        and ($11::text[] is null or application = any($11)
          or application is null and e.includes_unnamed)
        and ($5::text is null or name = $5) and ($10::text is null or name ~ $10) and ($6::bytea is null or key = $6)
        and ($7::timestamptz is null or appended_at >= $7)
        and ($8::timestamptz is null or appended_at < $8)
      order by "offset" limit $4
    ) as found
  ) as measured
  where bytes_before < $9
) as r`,
};

/** Returns the matching records of the ranges. The limits apply to each shard. */
export async function scanRanges(
  db: Queryable,
  ranges: readonly ScanRange[],
  { within, name, key, since, until, limit, maxBytes }: ScanFilter,
): Promise<StoredRecord[]> {
  const pattern = name?.includes('*') ? toEventNameRegExp(toEventPattern(name)) : undefined;
  const { rows } = await db.query<ScanRow>(scanStatement, [
    ranges.map(({ shard }) => shard),
    ranges.map(({ from }) => from),
    ranges.map(({ to }) => to),
    ...[
      limit,
      pattern ? null : (name ?? null),
      key ?? null,
      since ?? null,
      until ?? null,
      maxBytes,
    ],
    pattern ?? null,
    toApplicationColumn(within),
    ranges.map(({ includesUnnamed }) => includesUnnamed),
  ]);
  const byId = new Map(ranges.map((range) => [range.shard, range]));
  return rows.flatMap((row) => {
    const { shard_id, offset, appended_at, key: rowKey, value } = row;
    const range = byId.get(shard_id);
    if (!range) return [];
    const { topic, partition } = range;
    const timestampMs = appended_at.getTime();
    const stored = { topic, partition, offset, key: rowKey, value, timestampMs };
    const record = { ...stored, headers: fromStoredHeaders(row) };
    const rawHeaders = fromStoredList(row);
    return [rawHeaders ? { ...record, rawHeaders } : record];
  });
}

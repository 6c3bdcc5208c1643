import type { Queryable, Statement } from '@posthaste/postgres';
import type { StoredRecord } from '../../../record.js';
import { fromStoredHeaders, fromStoredList, type HeadersRow } from '../storage/stored-headers.js';

/** Next offset of a reader in one partition. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly shard: number;
  next: bigint;
}

/** Range of a shard that one read looks at. */
export interface Range {
  readonly position: Position;
  readonly end: bigint;
}

/** Columns of records by which a reader chooses, besides the topic. */
export interface NamedTraits {
  /** The header `ce_type`; null for a record without one. */
  readonly name: string | null;
  /** Null for a record that names no application. */
  readonly application: string | null;
}

const rangeCondition = `
  where shard_id = e.shard and "offset" >= e.low and "offset" < e.high and segment >= (
    select coalesce(max(f.segment), 0) from eventstream.segment_start f
    where f.shard_id = e.shard and f.first_offset <= e.low
  )`;

/** Index: `record_offset`. Reads neither keys nor values. */
export const traitsStatement: Statement = {
  name: 'eventstream_live_traits',
  text: `
select e.shard as shard_id, r.name, r.application
from unnest($1::integer[], $2::bigint[], $3::bigint[]) as e(shard, low, high)
cross join lateral (
  select distinct name, application from eventstream.record${rangeCondition}
) as r`,
};

/** Index: `record_offset`. Values are measured without being read. */
export const recordsStatement: Statement = {
  name: 'eventstream_live_records',
  text: `
select r.shard_id, r."offset", r.appended_at, r.name, r.key, r.value, r.headers, r.application
from unnest($1::integer[], $2::bigint[], $3::bigint[]) as e(shard, low, high)
cross join lateral (
  select * from (
    select *, sum(bytes) over (order by "offset") - bytes as bytes_before
    from (
      select octet_length(coalesce(key, '')) + octet_length(coalesce(value, '')) as bytes,
        shard_id, "offset", appended_at, name, key, value, headers, application
      from eventstream.record${rangeCondition}
        and exists (
          select from unnest($5::text[], $6::text[]) as c(name, application)
          where c.name is not distinct from record.name
            and c.application is not distinct from record.application
        )
    ) as found
  ) as measured
  where bytes_before < $4
) as r order by r.shard_id, r."offset"`,
};

/** Traits of records in a shard. */
export interface TraitsRow extends NamedTraits {
  readonly shard_id: number;
}

interface RecordRow extends HeadersRow {
  readonly shard_id: number;
  readonly offset: bigint;
  readonly appended_at: Date;
  readonly key: Buffer | null;
}

/** Returns the traits in the ranges, each once for a shard. */
export async function readTraits(db: Queryable, ranges: readonly Range[]): Promise<TraitsRow[]> {
  const { rows } = await db.query<TraitsRow>(traitsStatement, toColumns(ranges));
  return rows;
}

/** Choice among the records of ranges. */
interface RecordChoice {
  readonly wanted: readonly NamedTraits[];
  /** The record of a shard with which keys and values reach this many bytes is the last one. */
  readonly shardBytes: number;
}

/** Reads the records of one topic that have one of these traits. Those of a shard are in their order. */
export async function readWanted(
  db: Queryable,
  ranges: readonly Range[],
  { wanted, shardBytes }: RecordChoice,
): Promise<ReadonlyMap<number, readonly StoredRecord[]>> {
  const { rows } = await db.query<RecordRow>(recordsStatement, [
    ...toColumns(ranges),
    shardBytes,
    wanted.map(({ name }) => name),
    wanted.map(({ application }) => application),
  ]);
  const found = Map.groupBy(rows, ({ shard_id }) => shard_id);
  return new Map(
    ranges.map(({ position }) => [
      position.shard,
      (found.get(position.shard) ?? []).map((row) => toRecord(row, position)),
    ]),
  );
}

function toColumns(ranges: readonly Range[]): unknown[] {
  return [
    ranges.map(({ position }) => position.shard),
    ranges.map(({ position }) => position.next),
    ranges.map(({ end }) => end),
  ];
}

function toRecord(row: RecordRow, { topic, partition }: Position): StoredRecord {
  const { offset, appended_at, key, value } = row;
  const timestampMs = appended_at.getTime();
  const headers = fromStoredHeaders(row);
  const record = { topic, partition, offset, key, value, headers, timestampMs };
  const rawHeaders = fromStoredList(row);
  return rawHeaders ? { ...record, rawHeaders } : record;
}

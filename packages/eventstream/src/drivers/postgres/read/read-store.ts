import type { Queryable, Statement } from '@posthaste/postgres';
import type { StoredRecord } from '../../../record.js';
import { fromStoredHeaders, fromStoredList, type HeadersRow } from '../storage/stored-headers.js';

/** End of a shard. */
export interface ShardEnd {
  readonly shard: number;
  /** All records below it are visible, or will never exist. */
  readonly readable: bigint;
  /** Offset of the next record. Above `readable` while appenders are at work. */
  readonly drawn: bigint;
}

interface EndRow {
  readonly shard_id: number;
  readonly readable: bigint;
  readonly drawn: bigint;
}

const endStatement: Statement = {
  name: 'eventstream_readable_end',
  text: 'select shard_id, readable, drawn from eventstream.readable_end($1::integer[])',
};

/**
 * Reads the ends of shards. Must be a statement before the one that reads: see log-functions.ts.
 */
export async function readableEnds(
  db: Queryable,
  shards: readonly number[],
): Promise<ReadonlyMap<number, ShardEnd>> {
  const { rows } = await db.query<EndRow>(endStatement, [shards]);
  return new Map(
    rows.map(({ shard_id: shard, readable, drawn }) => [shard, { shard, readable, drawn }]),
  );
}

/** A shard, with its topic and partition. */
export interface ShardName {
  readonly shard: number;
  readonly topic: string;
  readonly partition: number;
}

/** A range of a shard to read. */
export interface RangeRequest {
  readonly from: bigint;
  /** End of the range, exclusive. At most the shard's readable end. */
  readonly end: bigint;
  readonly limit: number;
  /** The record with which the values reach this many bytes is the last one. */
  readonly maxBytes: number;
  /** Event names to read, in addition to records without a name. Absent: all records. */
  readonly names?: readonly string[] | undefined;
}

/** Records read from a shard. */
export interface RangeRead {
  readonly records: readonly StoredRecord[];
  /** Offset at which the next read begins. */
  readonly next: bigint;
  /** Offset of the first record that was not dropped by age. Above `from`: records were dropped. */
  readonly first: bigint;
}

interface RecordRow extends HeadersRow {
  readonly offset: bigint | null;
  readonly appended_at: Date;
  readonly key: Buffer | null;
  readonly first_offset: bigint;
}

/**
 * Index: `record_offset` of the segments from the one that `from` is in. The subquery is evaluated
 * once and prunes earlier segments. Always returns a row, because of the shard's columns.
 */
const rangeText = (condition: string): string => `
select r."offset", r.appended_at, r.name, r.key, r.value, r.headers, r.application,
  s.first_offset
from eventstream.shard s left join lateral (
  select * from (
    select *, sum(octet_length(coalesce(value, ''))) over (order by "offset")
      - octet_length(coalesce(value, '')) as bytes_before
    from (
      select "offset", appended_at, name, key, value, headers, application
      from eventstream.record
      where shard_id = $1 and "offset" >= $2 and "offset" < $3 and segment >= (
        select coalesce(max(f.segment), 0) from eventstream.segment_start f
        where f.shard_id = $1 and f.first_offset <= $2
      )${condition}
      order by "offset" limit $4
    ) as page
  ) as measured
  where bytes_before < $5
) as r on true
where s.id = $1 order by r."offset"`;

export const rangeStatement: Statement = { name: 'eventstream_range', text: rangeText('') };

const namedRangeStatement: Statement = {
  name: 'eventstream_named_range',
  text: rangeText(' and (name is null or name = any($6::text[]))'),
};

const namesStatement: Statement = {
  name: 'eventstream_names',
  text: `
select distinct name from eventstream.record
where shard_id = $1 and "offset" >= $2 and "offset" < $3 and segment >= (
  select coalesce(max(f.segment), 0) from eventstream.segment_start f
  where f.shard_id = $1 and f.first_offset <= $2
)`,
};

/** Returns the event names in a range of a shard. Null stands for records without a name. */
export async function readNames(
  db: Queryable,
  shard: number,
  { from, end }: Pick<RangeRequest, 'from' | 'end'>,
): Promise<readonly (string | null)[]> {
  const { rows } = await db.query<{ name: string | null }>(namesStatement, [shard, from, end]);
  return rows.map(({ name }) => name);
}

/** Reads a range of a shard. */
export async function readRange(
  db: Queryable,
  { shard, topic, partition }: ShardName,
  { from, end, limit, maxBytes, names }: RangeRequest,
): Promise<RangeRead> {
  const values = [shard, from, end, limit, maxBytes];
  const { rows } = await (names
    ? db.query<RecordRow>(namedRangeStatement, [...values, names])
    : db.query<RecordRow>(rangeStatement, values));
  const records: StoredRecord[] = [];
  let bytes = 0;
  for (const row of rows) {
    const { offset, appended_at, key, value } = row;
    if (offset === null) break;
    bytes += value?.length ?? 0;
    const timestampMs = appended_at.getTime();
    const headers = fromStoredHeaders(row);
    const rawHeaders = fromStoredList(row);
    const record = { topic, partition, offset, key, value, headers, timestampMs };
    records.push(rawHeaders ? { ...record, rawHeaders } : record);
  }
  const first = rows[0]?.first_offset ?? 0n;
  const last = records.at(-1);
  const isCut = records.length === limit || bytes >= maxBytes;
  // If no limit was reached, the offsets up to the end have no records and never will.
  const next = isCut && last ? last.offset + 1n : end > from ? end : from;
  return { records, next, first };
}

import type { Queryable, Statement } from '@posthaste/postgres';
import type { StoredRecord } from '../../../record.js';
import { fromStoredHeaders, type HeadersRow } from '../storage/stored-headers.js';
import { readableEnds, readRange, type ShardName } from './read-store.js';

/*
 * Reads of one partition by offset, for readers that keep their own position. They read internal
 * topics too, and records of all applications.
 */

/** A partition. */
export interface PartitionName {
  readonly topic: string;
  readonly partition: number;
}

/** A query for the next records of a partition. */
export interface PartitionQuery extends PartitionName {
  readonly from: bigint;
  /** Most records of the page. */
  readonly limit: number;
  /** The record with which the values reach this many bytes is the last one. */
  readonly maxBytes: number;
}

/** Records of a partition, in the order of their offsets. */
export interface PartitionPage {
  readonly records: readonly StoredRecord[];
  /** Offset at which the next page begins. */
  readonly next: bigint;
  /** Offset of the first record that was not dropped by age. Above `from`: records were dropped. */
  readonly first: bigint;
  /** End of what can be read. All records below it are visible, or will never exist. */
  readonly readable: bigint;
  /** True if appenders are at work behind the end of what can be read. */
  readonly isGrowing: boolean;
}

/** Reads the next records of a shard. */
export async function readPartition(
  db: Queryable,
  shard: ShardName,
  { from, limit, maxBytes }: PartitionQuery,
): Promise<PartitionPage> {
  const end = (await readableEnds(db, [shard.shard])).get(shard.shard);
  const { readable = 0n, drawn = 0n } = end ?? {};
  const range = await readRange(db, shard, { from, end: readable, limit, maxBytes });
  return { ...range, readable, isGrowing: drawn > readable };
}

/** Size of the end of a partition. */
export interface TailSize {
  /** Most records. */
  readonly maxRecords: number;
  /** Most bytes of values. */
  readonly maxBytes: number;
}

/** Offsets of a partition. */
export interface PartitionEnds {
  /** Offset from which on the records are within the size of the tail. */
  readonly tail: bigint;
  /** End of what can be read. */
  readonly readable: bigint;
}

/** Index: `record_offset`. Values are measured without being read. */
const tailStatement: Statement = {
  name: 'eventstream_tail_start',
  text: `
select min("offset") as tail from (
  select "offset", sum(octet_length(coalesce(value, ''))) over (order by "offset" desc) as bytes
  from (
    select "offset", value from eventstream.record
    where shard_id = $1 and "offset" >= $2 and "offset" < $3
    order by "offset" desc
  ) as newest
) as measured
where bytes <= $4`,
};

/** Finds where the last records of a shard begin. */
export async function findTail(
  db: Queryable,
  shard: number,
  { maxRecords, maxBytes }: TailSize,
): Promise<PartitionEnds> {
  const readable = (await readableEnds(db, [shard])).get(shard)?.readable ?? 0n;
  const from = readable > BigInt(maxRecords) ? readable - BigInt(maxRecords) : 0n;
  const values = [shard, from, readable, maxBytes];
  const { rows } = await db.query<{ tail: bigint | null }>(tailStatement, values);
  return { tail: rows[0]?.tail ?? readable, readable };
}

/** A query for the records of some keys. */
export interface KeyQuery extends PartitionName {
  /** The key, or the beginning of the keys. */
  readonly key: Buffer;
  /** True if `key` is the beginning of the keys. */
  readonly isPrefix: boolean;
  /** Name of the records: their header `ce_type`. */
  readonly name: string;
  readonly from: bigint;
  /** End of the range, exclusive. Everything below it must have been readable before. */
  readonly to: bigint;
  readonly limit: number;
  /** The record with which the values exceed this many bytes is the last one. */
  readonly maxBytes: number;
}

interface KeyRow extends HeadersRow {
  readonly offset: bigint;
  readonly appended_at: Date;
  readonly key: Buffer | null;
}

/** Index: `record_offset`. Reads the keys of the whole range, and measures values without reading them. */
const keyStatement: Statement = {
  name: 'eventstream_records_of_key',
  text: `
select "offset", appended_at, name, key, value, headers, application
from (
  select "offset", appended_at, name, key, value, headers, application,
    sum(octet_length(coalesce(value, ''))) over (order by "offset") as bytes
  from eventstream.record
  where shard_id = $1 and "offset" >= $2 and "offset" < $3 and segment >= (
      select coalesce(max(f.segment), 0) from eventstream.segment_start f
      where f.shard_id = $1 and f.first_offset <= $2
    )
    and name = $7 and (key = $4 or $5 and substring(key for octet_length($4)) = $4)
) as found
where bytes - octet_length(coalesce(value, '')) <= $8
order by "offset" limit $6`,
};

/** Finds records of keys in a range of a shard, and the offset of the first record that is kept. */
export async function findByKey(
  db: Queryable,
  { shard, topic, partition }: ShardName,
  { key, isPrefix, name, from, to, limit, maxBytes }: KeyQuery,
): Promise<Pick<PartitionPage, 'records' | 'first'>> {
  const values = [shard, from, to, key, isPrefix, limit, name, maxBytes];
  const { rows } = await db.query<KeyRow>(keyStatement, values);
  const records = rows.map((row): StoredRecord => {
    const { offset, appended_at, value } = row;
    const headers = fromStoredHeaders(row);
    const timestampMs = appended_at.getTime();
    return { topic, partition, offset, key: row.key, value, headers, timestampMs };
  });
  return { records, first: await findFirst(db, shard) };
}

/** A query for the newest record of each key. */
export interface NewestQuery extends PartitionName {
  /** Name of the records: their header `ce_type`. */
  readonly name: string;
  readonly from: bigint;
  /** End of the range, exclusive. Everything below it must have been readable before. */
  readonly to: bigint;
  /** Most keys: those with the newest records. */
  readonly limit: number;
}

/** Newest records of keys in a range, the newest first. */
export interface NewestOfKeys {
  readonly newest: readonly { readonly key: Buffer | null; readonly offset: bigint }[];
  /** Offset of the first record that is kept. */
  readonly first: bigint;
}

/** Index: `record_offset`. Reads the keys of the whole range, and no values. */
const newestStatement: Statement = {
  name: 'eventstream_newest_of_keys',
  text: `
select key, max("offset") as "offset"
from eventstream.record
where shard_id = $1 and "offset" >= $2 and "offset" < $3 and segment >= (
    select coalesce(max(f.segment), 0) from eventstream.segment_start f
    where f.shard_id = $1 and f.first_offset <= $2
  )
  and name = $4
group by key order by max("offset") desc limit $5`,
};

/** Finds the newest records of keys in a range of a shard. */
export async function findNewestOfKeys(
  db: Queryable,
  { shard }: ShardName,
  { name, from, to, limit }: NewestQuery,
): Promise<NewestOfKeys> {
  const values = [shard, from, to, name, limit];
  const { rows } = await db.query<{ key: Buffer | null; offset: bigint }>(newestStatement, values);
  return { newest: rows, first: await findFirst(db, shard) };
}

/** Behind reads of records: those that retention drops meanwhile count as dropped. */
async function findFirst(db: Queryable, shard: number): Promise<bigint> {
  const first = 'select first_offset from eventstream.shard where id = $1';
  const { rows } = await db.query<{ first_offset: bigint }>(first, [shard]);
  return rows[0]?.first_offset ?? 0n;
}

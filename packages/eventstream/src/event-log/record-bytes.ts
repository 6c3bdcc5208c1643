import type { Queryable } from '@posthaste/postgres';

/** Bytes of a record besides its value: columns, headers and its part of the index, roughly. */
const recordBytes = 150;
/** Most blocks that a measurement reads, 16 MB: a larger log is sampled. */
const maxBlocks = 2_000;

/**
 * Measures the bytes of each application's records. A large log is sampled: blocks at random, and the
 * amount is that of the sample times the part of the log that it is.
 */
export async function measureRecordBytes(db: Queryable): Promise<ReadonlyMap<string, number>> {
  const { rows: sizes } = await db.query<{ blocks: number }>(
    `select (sum(pg_relation_size(relid)) / current_setting('block_size')::float8)::float8 as blocks
     from pg_partition_tree('eventstream.record'::regclass)`,
  );
  const percent = Math.min(100, (100 * maxBlocks) / Math.max(1, sizes[0]?.blocks ?? 1));
  const { rows } = await db.query<{ application: string; bytes: number }>(
    `select application,
       (sum(coalesce(octet_length(value), 0) + ${recordBytes}) * 100 / $1::float8)::float8 as bytes
     from eventstream.record tablesample system ($1::float8)
     where application is not null group by application`,
    [percent],
  );
  return new Map(rows.map(({ application, bytes }) => [application, bytes]));
}

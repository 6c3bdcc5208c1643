import {
  createIdentifierTest,
  type ErasingProgress,
  type ErasingStep,
  type ErasureSelection,
  includesApplication,
  toApplicationColumn,
} from '@posthaste/contracts';
import type { Queryable, Statement, Transaction } from '@posthaste/postgres';
import { readableEnds } from '../../drivers/postgres/read/read-store.js';

/*
 * Erasing of records. A record is deleted, and not blanked: an offset without a record is nothing new
 * to a reader, because a transaction that is rolled back leaves one too; consumers, followers and the
 * relay go on behind it. A blanked record would be one more kind of record to each of them, and
 * would reach Kafka as a tombstone of another key. What the relay has published to Kafka before is
 * not erased: only Kafka's own retention, or a compacted topic, does that.
 */

/** Options of the steps that erase records. */
export interface RecordErasingOptions {
  /** Returns the application of a topic's records that name none. Default: none has one. */
  readonly ownerOf?: ((topic: string) => string | undefined) | undefined;
}

/** Records about what was changed and erased: they stay, and have no payloads. */
const keptTopic = 'audit';
/** Most bytes of values that one step reads. The record with which they are reached is the last one. */
const maxStepBytes = 1024 * 1024;
/** Records that a step may read for each row of its limit, if it needs no values. */
const recordsPerRow = 10;

const shardStatement: Statement = {
  name: 'eventstream_erase_shard',
  text: `
select s.id, s.partition, t.name as topic from eventstream.shard s
join eventstream.topic t on t.id = s.topic_id
where s.id >= $1 order by s.id limit 1`,
};

interface ShardRow {
  readonly id: number;
  readonly partition: number;
  readonly topic: string;
}

/** Index: `record_offset` of the segments from the one that `$2` is in. */
const pageStatement: Statement = {
  name: 'eventstream_erase_page',
  text: `
select segment, "offset", own, matches, case when matches and $8 then value end as value from (
  select segment, "offset", value, own, own and ($7::bytea is null or key = $7) as matches,
    sum(octet_length(value)) over (order by "offset") - octet_length(value) as bytes_before
  from (
    select segment, "offset", key, value,
      coalesce($5::text[] is null or application = any($5) or (application is null and $6), false)
        as own
    from eventstream.record
    where shard_id = $1 and "offset" >= $2 and "offset" < $3 and segment >= (
      select coalesce(max(f.segment), 0) from eventstream.segment_start f
      where f.shard_id = $1 and f.first_offset <= $2
    )
    order by "offset" limit $4
  ) as r
) as page
where not $8 or coalesce(bytes_before, 0) < $9
order by "offset"`,
};

interface PageRow {
  readonly segment: number;
  readonly offset: bigint;
  /** True for a record of the selected applications: only these are shown as scanned. */
  readonly own: boolean;
  readonly matches: boolean;
  readonly value: Buffer | null;
}

/**
 * Erases records of the log, those of retries and dead letters included: one step. A record matches by
 * its application, its key and the identifier in its value. Records of no application match only if
 * those of all are selected, or if the application owns their topic. A selection with an endpoint
 * matches none: an endpoint has callbacks, and no records.
 */
export async function eraseRecords(
  tx: Transaction,
  selection: ErasureSelection,
  step: ErasingStep & RecordErasingOptions,
): Promise<ErasingProgress> {
  const { position } = step;
  if (selection.endpointId !== undefined) return { position, done: true, scanned: 0, erased: 0 };
  const [from = 0n, offset = 0n] = position?.split(':').map(BigInt) ?? [];
  const [shard] = (await tx.query<ShardRow>(shardStatement, [Number(from)])).rows;
  if (!shard) return { position, done: true, scanned: 0, erased: 0 };
  const next = { position: `${shard.id + 1}:0`, done: false };
  if (shard.topic === keptTopic) return { ...next, scanned: 0, erased: 0 };
  const start = BigInt(shard.id) === from ? offset : 0n;
  const rows = await readPage(tx, { shard, start, selection, step });
  const test = selection.identifier && createIdentifierTest(selection.identifier);
  const found = rows.filter(({ matches, value }) => {
    return matches && (!test || (value !== null && test(value)));
  });
  await deleteRecords(tx, shard, found);
  const progress = { scanned: rows.filter(({ own }) => own).length, erased: found.length };
  const last = rows.at(-1);
  if (!last) return { ...next, ...progress };
  return { position: `${shard.id}:${last.offset + 1n}`, done: false, ...progress };
}

interface PageRequest {
  readonly shard: ShardRow;
  readonly start: bigint;
  readonly selection: ErasureSelection;
  readonly step: ErasingStep & RecordErasingOptions;
}

async function readPage(
  tx: Transaction,
  { shard, start, selection, step }: PageRequest,
): Promise<PageRow[]> {
  const { applications, key, identifier } = selection;
  // In a statement of its own, before the one that reads: see log-functions.ts.
  const end = (await readableEnds(tx, [shard.id])).get(shard.id)?.readable ?? 0n;
  const owner = step.ownerOf?.(shard.topic);
  const needsValues = identifier !== undefined;
  const { rows } = await tx.query<PageRow>(pageStatement, [
    shard.id,
    start,
    end,
    needsValues ? step.limit : step.limit * recordsPerRow,
    toApplicationColumn(applications),
    owner !== undefined && includesApplication(applications, owner),
    key === undefined ? null : Buffer.from(key),
    needsValues,
    maxStepBytes,
  ]);
  return rows;
}

const deleteStatement: Statement = {
  name: 'eventstream_erase_delete',
  text: `
delete from eventstream.record
where shard_id = $1 and "offset" = any($2::bigint[]) and segment >= $3 and segment <= $4`,
};

const forgetStatement: Statement = {
  name: 'eventstream_erase_forget_replayed',
  text: `delete from event_log.replayed_dead_letter
    where topic = $1 and partition = $2 and "offset" = any($3::bigint[])`,
};

async function deleteRecords(
  tx: Transaction,
  { id, topic, partition }: ShardRow,
  found: readonly PageRow[],
): Promise<void> {
  if (found.length === 0) return;
  const offsets = found.map(({ offset }) => offset);
  const segments = [...new Set(found.map(({ segment }) => segment))].sort((a, b) => a - b);
  await tx.query(deleteStatement, [id, offsets, segments[0], segments.at(-1)]);
  await tx.query(forgetStatement, [topic, partition, offsets]);
  for (const segment of segments) await letVacuum(tx, segment);
}

/** Autovacuum of a segment in which records were deleted: it does nothing for those that are only written. */
const vacuumed = ['', 'toast.'].flatMap((table) => [
  `${table}autovacuum_enabled = true`,
  `${table}autovacuum_vacuum_threshold = 0`,
  `${table}autovacuum_vacuum_scale_factor = 0`,
  `${table}autovacuum_vacuum_insert_threshold = -1`,
]);

/**
 * Lets autovacuum read a segment in which records were deleted, which it does not otherwise
 * (migrations.ts): until then their bytes are still on the disk. It begins within a minute, and paces itself.
 */
async function letVacuum(tx: Queryable, segment: number): Promise<void> {
  const { rows } = await tx.query(
    `select from pg_class where oid = to_regclass($1)
       and 'autovacuum_enabled=false' = any(reloptions)`,
    [`eventstream.record_${segment}`],
  );
  if (rows.length === 0) return;
  await tx.query(`alter table eventstream.record_${Number(segment)} set (${vacuumed.join(', ')})`);
}

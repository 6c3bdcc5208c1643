/**
 * Segments: the partitions of the table `record`, each a span of time (migrations.ts).
 *
 *   attached   the partition exists; no appender can see its segment yet
 *   newest     appenders write here
 *   older      records are only read
 *   dropped    past retention: the segment and its partition are gone
 *
 * Invariants: a partition is attached, in a transaction of its own, before its segment is visible;
 * records of a shard from `segment_start.first_offset` on are in that segment or a later one;
 * `shard.first_offset` never passes a record that is left, or that an appender may still write.
 */

import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Transaction } from '@posthaste/postgres';
import { readableEnds } from './read/read-store.js';
import { recordStorage } from './storage/migrations.js';

/** Options of maintenance. */
export interface MaintenanceOptions {
  /** Time for which appenders write to one segment, in ms. Default a day. */
  readonly segmentMs?: number | undefined;
  /**
   * Age from which records are dropped, in ms. A segment is dropped when its youngest record has
   * this age, whether or not groups have read it. Default seven days.
   */
  readonly retentionMs?: number | undefined;
}

/** Result of maintenance. */
export interface MaintenanceOutcome {
  /** True if a new segment was started. */
  readonly started: boolean;
  /** Dropped segments, the oldest first. */
  readonly dropped: readonly number[];
  /** True if a lock was not free in time, because of a long read or write. Try again soon. */
  readonly busy: boolean;
}

const dayMs = 86_400_000;
/** Lock for creating and dropping segments: "evst" as a number. */
const advisoryLock = 0x65767374;
/** Longest wait for a lock. Short, because all later statements on the table queue behind it. */
const lockTimeoutMs = 250;

/**
 * Starts a new segment when the newest has lasted long enough, and drops segments past retention.
 * Call it every few minutes, from any number of processes. Without it all records go into one
 * growing segment.
 * @throws PlatformError `OPTION_INVALID`, `DATABASE_*`
 */
export async function maintainSegments(
  db: Database,
  { segmentMs = dayMs, retentionMs = 7 * dayMs }: MaintenanceOptions = {},
): Promise<MaintenanceOutcome> {
  if (!(segmentMs > 0 && retentionMs > 0)) {
    const message = `segmentMs is ${segmentMs} and retentionMs ${retentionMs}; both must be over 0`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  const start = await unlessBusy(() => startSegment(db, segmentMs));
  await storeStarts(db);
  const dropped: number[] = [];
  let busy = start === 'busy';
  for (;;) {
    const drop = await unlessBusy(() => db.transaction((tx) => dropOldest(tx, retentionMs)));
    if (drop === 'busy') busy = true;
    if (drop === 'busy' || drop === undefined) break;
    dropped.push(drop);
  }
  return { started: start === true, dropped, busy };
}

/**
 * Starts a segment in two transactions: its partition must exist before any transaction sees it.
 */
async function startSegment(db: Database, segmentMs: number): Promise<boolean> {
  const next = await db.transaction((tx) => attachPartition(tx, segmentMs));
  if (next === undefined) return false;
  const insert = 'insert into eventstream.segment (id) values ($1) on conflict do nothing';
  return (await db.query(insert, [next])).rowCount === 1;
}

/**
 * Attaches the partition of the next segment if that is due. Returns the segment's id. Creating the
 * partition in place would lock the parent exclusively; attaching does not. A partition that exists
 * already is from a process that is about to insert the segment, or died before it did.
 */
async function attachPartition(tx: Transaction, segmentMs: number): Promise<number | undefined> {
  await acquireLock(tx);
  const { rows } = await tx.query<{ next: number; due: boolean; attached: boolean }>(
    `select id + 1 as next, started_at + $1 * interval '1 ms' <= now() as due,
       to_regclass('eventstream.record_' || id + 1) is not null as attached
     from eventstream.segment order by id desc limit 1`,
    [segmentMs],
  );
  const [newest] = rows;
  if (!newest?.due) return undefined;
  const { next, attached } = newest;
  if (attached) return next;
  await tx.query(
    `create table eventstream.record_${next}
     (like eventstream.record including all excluding indexes) with (${recordStorage})`,
  );
  await tx.query(
    `alter table eventstream.record attach partition eventstream.record_${next}
     for values from (${next}) to (${next + 1})`,
  );
  return next;
}

/**
 * Stores, for each shard, the offset from which all records are in the newest segment or a later
 * one. Appenders read the newest segment after they have drawn their offsets. So offsets drawn
 * after the segment became visible, as it is here, are in it or in a later one. This runs after the
 * segment's own transaction, and again if a process died in between: an offset that is too high is
 * correct as well.
 */
async function storeStarts(db: Queryable): Promise<void> {
  await db.query(
    `insert into eventstream.segment_start (shard_id, segment, first_offset)
     select s.id, newest.id, eventstream.drawn(s.id)
     from (select max(id) as id from eventstream.segment) as newest, eventstream.shard s
     where not exists (
       select from eventstream.segment_start b
       where b.shard_id = s.id and b.segment = newest.id
     )
     on conflict do nothing`,
  );
}

/**
 * Drops the oldest segment if it is past retention. Its youngest record is as old as the next
 * segment. Returns its id, or `undefined` if it is kept.
 */
async function dropOldest(tx: Transaction, retentionMs: number): Promise<number | undefined> {
  await acquireLock(tx);
  const { rows } = await tx.query<{ id: number; old: boolean }>(
    `select id, lead(started_at) over (order by id) + $1 * interval '1 ms' <= now() as old
     from eventstream.segment order by id limit 1`,
    [retentionMs],
  );
  const [oldest] = rows;
  if (!oldest?.old) return undefined;
  await raiseFirstOffsets(tx, oldest.id);
  await tx.query('delete from eventstream.segment where id = $1', [oldest.id]);
  await tx.query(`drop table eventstream.record_${oldest.id}`);
  return oldest.id;
}

/**
 * Sets the first offset of each shard to that of its first remaining record. If none remains, to
 * the readable end: no record can appear below it, but an appender may be writing at it or above.
 */
async function raiseFirstOffsets(tx: Transaction, dropped: number): Promise<void> {
  const shards = await tx.query<{ id: number }>('select id from eventstream.shard order by id');
  const ids = shards.rows.map(({ id }) => id);
  // In a statement of its own, before the one that searches for records: see log-functions.ts.
  const ends = [...(await readableEnds(tx, ids)).values()];
  await tx.query(
    `update eventstream.shard s set first_offset = left_over.position
     from (
       select e.shard, coalesce((
         select least(r."offset", e.readable) from eventstream.record r
         where r.shard_id = e.shard and r.segment > $1 order by r."offset" limit 1
       ), e.readable) as position
       from unnest($2::integer[], $3::bigint[]) as e(shard, readable)
     ) as left_over
     where s.id = left_over.shard and s.first_offset < left_over.position`,
    [dropped, ends.map(({ shard }) => shard), ends.map(({ readable }) => readable)],
  );
}

async function acquireLock(tx: Transaction): Promise<void> {
  await tx.query(`set local lock_timeout = ${lockTimeoutMs}`);
  await tx.query('select pg_advisory_xact_lock($1)', [advisoryLock]);
}

/** Runs `work`. A lock that was not free in time is a result, not an error. */
async function unlessBusy<T>(work: () => Promise<T>): Promise<T | 'busy'> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'DATABASE_TIMEOUT') return 'busy';
    throw error;
  }
}

import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Transaction } from '@posthaste/postgres';
import { readableEnds } from './read/read-store.js';
import { recordStorage } from './storage/record-storage.js';

export interface MaintenanceOptions {
  /** How long appenders write into one partition of the table, in ms. Default a day. */
  readonly segmentMs?: number | undefined;
  /**
   * Records older than this, in ms, are dropped, a segment at a time: the youngest of those dropped
   * is as old. Whether groups have read them does not matter. Default seven days.
   */
  readonly retentionMs?: number | undefined;
}

export interface MaintenanceOutcome {
  /** Whether there is a new segment. */
  readonly started: boolean;
  /** Segments dropped, the oldest first. */
  readonly dropped: readonly number[];
  /** Whether somebody reads or writes for so long that a lock was not to be had; try again soon. */
  readonly busy: boolean;
}

const dayMs = 86_400_000;
/** Held by whoever makes or drops segments: "evst" as a number. */
const advisoryLock = 0x65767374;
/** While a lock is waited for, all that comes later waits behind it: so not for long. */
const lockTimeoutMs = 250;

/**
 * Begins a new segment when the newest has lasted long enough, and drops those past their retention.
 * To be called every few minutes, by any number of processes. When nobody calls it the log goes on,
 * in one segment that grows.
 * @throws PlatformError `OPTION_INVALID`, `DATABASE_*`
 */
export async function maintainSegments(
  db: Database,
  { segmentMs = dayMs, retentionMs = 7 * dayMs }: MaintenanceOptions = {},
): Promise<MaintenanceOutcome> {
  if (!(segmentMs > 0 && retentionMs > 0)) {
    throw new PlatformError('OPTION_INVALID', `segments of ${segmentMs} ms for ${retentionMs} ms`);
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

/** In two transactions: who sees the segment must find its partition, see log-functions.ts. */
async function startSegment(db: Database, segmentMs: number): Promise<boolean> {
  const next = await db.transaction((tx) => attachPartition(tx, segmentMs));
  if (next === undefined) return false;
  const insert = 'insert into eventstream.segment (id) values ($1) on conflict do nothing';
  return (await db.query(insert, [next])).rowCount === 1;
}

/**
 * The partition of the next segment, when it is time. Attached rather than created in place, which
 * would close the parent. One that is there already is of a process that is about to let the segment
 * be seen, or died before.
 */
async function attachPartition(tx: Transaction, segmentMs: number): Promise<number | undefined> {
  await takeTurn(tx);
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
 * For each shard, from which offset on all is in the newest segment. Appenders look for the newest
 * segment after they have drawn their offsets; so what is drawn after the segment could be seen, as
 * it can here, is in it or in a later one. Later than the segment's own transaction, and again when
 * a process died in between: an offset that is too high is as true.
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

/** The youngest record of a segment is as old as the next segment. Gives the id; none: all are kept. */
async function dropOldest(tx: Transaction, retentionMs: number): Promise<number | undefined> {
  await takeTurn(tx);
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
 * The first that is left of each shard. Where nothing is left, the readable end: below it nothing
 * can come, and at it or above an appender may be at work.
 */
async function raiseFirstOffsets(tx: Transaction, dropped: number): Promise<void> {
  const shards = await tx.query<{ id: number }>('select id from eventstream.shard order by id');
  // In a statement of its own, before the one that looks for records: see log-functions.ts.
  const ends = [
    ...(
      await readableEnds(
        tx,
        shards.rows.map(({ id }) => id),
      )
    ).values(),
  ];
  await tx.query(
    `update eventstream.shard s set first_offset = left_over.place
     from (
       select e.shard, coalesce((
         select least(r."offset", e.readable) from eventstream.record r
         where r.shard_id = e.shard and r.segment > $1 order by r."offset" limit 1
       ), e.readable) as place
       from unnest($2::integer[], $3::bigint[]) as e(shard, readable)
     ) as left_over
     where s.id = left_over.shard and s.first_offset < left_over.place`,
    [dropped, ends.map(({ shard }) => shard), ends.map(({ readable }) => readable)],
  );
}

async function takeTurn(tx: Transaction): Promise<void> {
  await tx.query(`set local lock_timeout = ${lockTimeoutMs}`);
  await tx.query('select pg_advisory_xact_lock($1)', [advisoryLock]);
}

/** A lock that was not to be had is an outcome, not an error. */
async function unlessBusy<T>(work: () => Promise<T>): Promise<T | 'busy'> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'DATABASE_TIMEOUT') return 'busy';
    throw error;
  }
}

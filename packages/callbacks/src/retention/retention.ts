import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Transaction } from '@posthaste/postgres';
import {
  type Day,
  type DayOutcome,
  getDay,
  listDays,
  lockPartitionChanges,
  partitionedTables,
  runForDay,
} from './partition-days.js';

/** Options of {@link dropExpired}. */
export interface RetentionOptions {
  /**
   * Age in days after which callbacks are dropped with their history; 1 or more. It counts from the
   * day of acceptance, in UTC, not from the ending.
   */
  readonly retentionDays: number;
  /** Most callbacks that one call deletes from the default partitions. Default 500. */
  readonly maxRows?: number | undefined;
}

/** Result of {@link dropExpired}. */
export interface RetentionOutcome {
  /** Days past their retention. A day is kept until none of its callbacks is alive. */
  readonly days: readonly DayOutcome<'dropped' | 'alive'>[];
  /** Number of callbacks deleted from the default partitions. */
  readonly deleted: number;
  /** True if the default partitions may have more to delete. */
  readonly more: boolean;
}

/**
 * Drops callbacks that are past their retention: whole days, and a limited number of callbacks of
 * the default partitions. It does not read the rows of a day that it drops, only the callbacks
 * alive in the day's range of ids.
 * @throws PlatformError `OPTION_INVALID`
 */
export async function dropExpired(
  db: Database,
  { retentionDays, maxRows = 500 }: RetentionOptions,
): Promise<RetentionOutcome> {
  if (!(Number.isInteger(retentionDays) && retentionDays >= 1)) {
    const message = `retentionDays must be a whole number of 1 or more, not ${retentionDays}`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  const firstKept = await getDay(db, -retentionDays);
  const days: DayOutcome<'dropped' | 'alive'>[] = [];
  for (const day of await listDays(db)) {
    if (day.name >= firstKept.name) break;
    days.push(await runForDay(day, () => db.transaction((tx) => dropDay(tx, day))));
  }
  const deleted = await db.transaction((tx) => deleteFromDefault(tx, firstKept.from, maxRows));
  return { days, deleted, more: deleted === maxRows };
}

/**
 * Drops the partitions of a day. The parents are locked exclusively for a moment, after a short
 * wait: Postgres cannot detach a partition concurrently when there is a default partition. The
 * parents are locked before the partitions, as in all other statements, and in the order in which
 * results are recorded.
 */
async function dropDay(tx: Transaction, day: Day): Promise<'dropped' | 'alive'> {
  if (await hasLiveCallback(tx, day)) return 'alive';
  await lockPartitionChanges(tx);
  await tx.query(
    'lock table only callbacks.history, only callbacks.request in access exclusive mode',
  );
  // Intake writes the request of a callback first, and a replay locks it: both wait from here on.
  if (await hasLiveCallback(tx, day)) return 'alive';
  const tables = partitionedTables.map(({ name }) => `callbacks.${name}_${day.name}`);
  await tx.query(`drop table if exists ${tables.join(', ')}`);
  return 'dropped';
}

/** True if a callback of the day is alive. Indexes: `head_pkey`, `waiting_callback`. */
async function hasLiveCallback(tx: Transaction, { from, to }: Day): Promise<boolean> {
  const { rows } = await tx.query<{ alive: boolean }>(
    `select exists (select from callbacks.head where callback_id >= $1 and callback_id < $2)
       or exists (select from callbacks.waiting where callback_id >= $1 and callback_id < $2)
       as alive`,
    [from, to],
  );
  return rows[0]?.alive ?? false;
}

/**
 * Deletes callbacks that have ended from the default partitions. It locks them first, and checks
 * again in a second statement that none is alive: a replay that had the lock before may have
 * requeued one, which only the newer snapshot shows.
 */
async function deleteFromDefault(tx: Transaction, end: string, limit: number): Promise<number> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from callbacks.request_default r
     where id < $1
       and not exists (select from callbacks.head h where h.callback_id = r.id)
       and not exists (select from callbacks.waiting w where w.callback_id = r.id)
     order by id limit $2
     for update skip locked`,
    [end, limit],
  );
  if (rows.length === 0) return 0;
  const { rowCount } = await tx.query(
    `with over as (
       select i.id from unnest($1::uuid[]) as i(id)
       where not exists (select from callbacks.head h where h.callback_id = i.id)
         and not exists (select from callbacks.waiting w where w.callback_id = i.id)
     ),
     history as (
       delete from callbacks.history_default y using over where y.callback_id = over.id
     )
     delete from callbacks.request_default r using over where r.id = over.id`,
    [rows.map(({ id }) => id)],
  );
  return rowCount;
}

/** Options of {@link forgetIdempotencyKeys}. */
export interface IdempotencyRetention {
  /** Age in hours after which a key is deleted: the same key then creates a new callback. */
  readonly retentionHours: number;
  /** Most keys that one call deletes. Default 5,000. */
  readonly maxRows?: number | undefined;
}

/**
 * Deletes old Idempotency-Keys, the oldest first. Index: `idempotency_created_at`.
 * @returns the number of keys deleted
 */
export async function forgetIdempotencyKeys(
  db: Queryable,
  { retentionHours, maxRows = 5_000 }: IdempotencyRetention,
): Promise<number> {
  const { rowCount } = await db.query(
    `with old as (
       select application, key from callbacks.idempotency
       where created_at < now() - $1::float8 * interval '1 hour'
       order by created_at limit $2
       for update skip locked
     )
     delete from callbacks.idempotency k using old
     where k.application = old.application and k.key = old.key`,
    [retentionHours, maxRows],
  );
  return rowCount;
}

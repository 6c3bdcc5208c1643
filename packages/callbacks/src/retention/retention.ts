import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Transaction } from '@posthaste/postgres';
import {
  type Day,
  type DayOutcome,
  getDay,
  listDays,
  orBusy,
  partitionedTables,
  takeTurn,
} from './partition-days.js';

export interface RetentionOptions {
  /**
   * Callbacks accepted more days ago than this are dropped with all that happened to them; 1 or
   * more. The day of acceptance counts, in UTC, not when they ended.
   */
  readonly retentionDays: number;
  /** Callbacks that one call deletes from the default partitions. Default 500. */
  readonly maxRows?: number | undefined;
}

export interface RetentionOutcome {
  /** Days past their retention. One with a callback still alive is kept until that has ended. */
  readonly days: readonly DayOutcome<'dropped' | 'alive'>[];
  /** Callbacks deleted from the default partitions. */
  readonly deleted: number;
  /** Whether a call at once would find more. */
  readonly more: boolean;
}

/**
 * Drops what is past its retention: whole days, and a bounded number of callbacks of the default
 * partitions. Nothing that is dropped is looked at, only what is alive in its range of ids.
 * @throws PlatformError `OPTION_INVALID`
 */
export async function dropExpired(
  db: Database,
  { retentionDays, maxRows = 500 }: RetentionOptions,
): Promise<RetentionOutcome> {
  if (!(Number.isInteger(retentionDays) && retentionDays >= 1)) {
    throw new PlatformError('OPTION_INVALID', `retention of ${retentionDays} days`);
  }
  const firstKept = await getDay(db, -retentionDays);
  const days: DayOutcome<'dropped' | 'alive'>[] = [];
  for (const day of await listDays(db)) {
    if (day.name >= firstKept.name) break;
    days.push(await orBusy(day, () => db.transaction((tx) => dropDay(tx, day))));
  }
  const deleted = await db.transaction((tx) => deleteFromDefault(tx, firstKept.from, maxRows));
  return { days, deleted, more: deleted === maxRows };
}

/**
 * Dropping closes the parents for a moment, behind a short wait for their lock: detaching first,
 * concurrently, is not possible next to a default partition. The parents are locked before the
 * partitions, as everybody else does, and in the order in which results are recorded.
 */
async function dropDay(tx: Transaction, day: Day): Promise<'dropped' | 'alive'> {
  if (await isAlive(tx, day)) return 'alive';
  await takeTurn(tx);
  await tx.query(
    'lock table only callbacks.history, only callbacks.request in access exclusive mode',
  );
  // Whoever makes a callback live reads its request first, or writes it: it waits from here on.
  if (await isAlive(tx, day)) return 'alive';
  const tables = partitionedTables.map(({ name }) => `callbacks.${name}_${day.name}`);
  await tx.query(`drop table if exists ${tables.join(', ')}`);
  return 'dropped';
}

/** Whether a callback of these ids is alive. Indexes: `head_pkey`, `waiting_callback`. */
async function isAlive(tx: Transaction, { from, to }: Day): Promise<boolean> {
  const { rows } = await tx.query<{ alive: boolean }>(
    `select exists (select from callbacks.head where callback_id >= $1 and callback_id < $2)
       or exists (select from callbacks.waiting where callback_id >= $1 and callback_id < $2)
       as alive`,
    [from, to],
  );
  return rows[0]?.alive ?? false;
}

/**
 * Locked first and judged again after, with a newer snapshot: a replay that made one of them live
 * in between held the lock then.
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

export interface IdempotencyRetention {
  /** Keys older than this are forgotten: the same key then makes a new callback. */
  readonly retentionHours: number;
  /** Keys that one call forgets. Default 5,000. */
  readonly maxRows?: number | undefined;
}

/** Forgets old Idempotency-Keys, the oldest first. Index: `idempotency_created_at`. */
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

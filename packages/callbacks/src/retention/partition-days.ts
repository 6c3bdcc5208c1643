import { idLowerBound, PlatformError } from '@posthaste/contracts';
import type { Queryable, Transaction } from '@posthaste/postgres';

/**
 * `request` and `history` are partitioned by day: ids are UUIDv7, so a range of ids is a range of
 * times. Both have the same days. What belongs to no day's partition, because nobody made one in
 * time, is in the default partitions, and stays there until its retention is over.
 */
export const partitionedTables = [
  { name: 'request', key: 'id' },
  { name: 'history', key: 'callback_id' },
] as const;

/** A day, in UTC. */
export interface Day {
  /** Such as `20260131`: the end of the names of its partitions. */
  readonly name: string;
  /** The lowest id of the day, and of the next. */
  readonly from: string;
  readonly to: string;
}

/** What was done about one day. `busy`: a lock was not to be had in time; to be tried again. */
export interface DayOutcome<Kind extends string> {
  readonly day: string;
  readonly kind: Kind | 'busy';
}

const dayMs = 86_400_000;
/** Held by whoever makes or drops partitions: the first bytes of "partition" as a number. */
const advisoryLock = 0x70617274;
/** While a lock is waited for, all that comes later waits behind it: so not for long. */
const lockTimeoutMs = 250;

/** One at a time makes or drops partitions, and no lock is waited for longer than a moment. */
export async function takeTurn(tx: Transaction): Promise<void> {
  await tx.query(`set local lock_timeout = ${lockTimeoutMs}`);
  await tx.query('select pg_advisory_xact_lock($1)', [advisoryLock]);
}

/** Days that have partitions, the oldest first. Read from the catalogue. */
export async function listDays(db: Queryable): Promise<Day[]> {
  const { rows } = await db.query<{ name: string }>(
    `select right(c.relname, 8) as name
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'callbacks.request'::regclass and c.relname ~ '^request_[0-9]{8}$'
     order by 1`,
  );
  return rows.map(({ name }) => parseDay(name));
}

/** The UTC day, `offset` days from today by the database's clock. */
export async function getDay(db: Queryable, offset: number): Promise<Day> {
  const { rows } = await db.query<{ now: Date }>('select now() as now');
  const now = rows[0]?.now.getTime();
  if (now === undefined) throw new PlatformError('INTERNAL', 'the database gave no time');
  return toDay(now - (now % dayMs) + offset * dayMs);
}

/** The day after. */
export function nextDay(day: Day): Day {
  return toDay(startOf(day.name) + dayMs);
}

/** Does the work of one day; a lock that was not to be had is an outcome, not an error. */
export async function orBusy<Kind extends string>(
  day: Day,
  work: () => Promise<Kind>,
): Promise<DayOutcome<Kind>> {
  try {
    return { day: day.name, kind: await work() };
  } catch (error) {
    const timedOut = error instanceof PlatformError && error.code === 'DATABASE_TIMEOUT';
    if (timedOut) return { day: day.name, kind: 'busy' };
    throw error;
  }
}

function parseDay(name: string): Day {
  return toDay(startOf(name));
}

function startOf(name: string): number {
  return Date.UTC(Number(name.slice(0, 4)), Number(name.slice(4, 6)) - 1, Number(name.slice(6)));
}

function toDay(startMs: number): Day {
  return {
    name: new Date(startMs).toISOString().slice(0, 10).replaceAll('-', ''),
    from: idLowerBound(new Date(startMs)),
    to: idLowerBound(new Date(startMs + dayMs)),
  };
}

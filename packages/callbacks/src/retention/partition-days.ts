import { idLowerBound, PlatformError } from '@posthaste/contracts';
import type { Queryable, Transaction } from '@posthaste/postgres';

/**
 * The tables that are partitioned by day. Ids are UUIDv7, so a range of ids is a range of times.
 * Both tables have the same days. If the partitions of a day were not created in time, its rows are
 * in the default partitions, and stay there until their retention ends.
 */
export const partitionedTables = [
  { name: 'request', key: 'id' },
  { name: 'history', key: 'callback_id' },
] as const;

/** A day, in UTC. */
export interface Day {
  /** Suffix of the names of its partitions, such as `20260131`. */
  readonly name: string;
  /** Lowest id of the day. */
  readonly from: string;
  /** Lowest id of the next day. */
  readonly to: string;
}

/** Outcome for one day. `busy`: a lock was not acquired in time; the next call tries again. */
export interface DayOutcome<Kind extends string> {
  readonly day: string;
  readonly kind: Kind | 'busy';
}

const dayMs = 86_400_000;
/** Key of the lock on changes of partitions: the first bytes of "partition" as a number. */
const advisoryLock = 0x70617274;
/** Short, because all statements that come later queue behind a lock that is waited for. */
const lockTimeoutMs = 250;

/**
 * Acquires the advisory lock under which partitions are created and dropped, one transaction at a
 * time, and limits the wait for all other locks of the transaction.
 */
export async function lockPartitionChanges(tx: Transaction): Promise<void> {
  // Before the limit is set: waiting for another process blocks nobody, and may take up to the
  // session's statement timeout.
  await tx.query('select pg_advisory_xact_lock($1)', [advisoryLock]);
  await tx.query(`set local lock_timeout = ${lockTimeoutMs}`);
}

/** Lists the days that have partitions, oldest first, from the catalogue. */
export async function listDays(db: Queryable): Promise<Day[]> {
  const { rows } = await db.query<{ name: string }>(
    `select right(c.relname, 8) as name
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'callbacks.request'::regclass and c.relname ~ '^request_[0-9]{8}$'
     order by 1`,
  );
  return rows.map(({ name }) => parseDay(name));
}

/** Returns the UTC day that is `offset` days after today, by the database's clock. */
export async function getDay(db: Queryable, offset: number): Promise<Day> {
  const { rows } = await db.query<{ now: Date }>('select now() as now');
  const now = rows[0]?.now.getTime();
  if (now === undefined) throw new PlatformError('INTERNAL', 'the database returned no time');
  return toDay(now - (now % dayMs) + offset * dayMs);
}

/** Returns the day after. */
export function nextDay(day: Day): Day {
  return toDay(startOf(day.name) + dayMs);
}

/** Runs the work for one day. A lock that is not acquired in time is the outcome `busy`. */
export async function runForDay<Kind extends string>(
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

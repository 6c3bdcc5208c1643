import { PlatformError } from '@posthaste/contracts';
import { type Database, type Queryable, sqlState, type Transaction } from '@posthaste/postgres';
import {
  type Day,
  type DayOutcome,
  getDay,
  listDays,
  lockPartitionChanges,
  nextDay,
  partitionedTables,
  runForDay,
} from './partition-days.js';

/** Options of {@link ensurePartitions}. */
export interface PartitionOptions {
  /** Number of days after today that get partitions, 0 to 366. */
  readonly daysAhead: number;
}

const maxDaysAhead = 366;

/**
 * Creates the missing partitions of today and the days to come. Call it before the first callback
 * is accepted, then once an hour. A day that already has rows in the default partitions is skipped:
 * its callbacks stay there.
 * @returns the outcome for each day that was missing
 * @throws PlatformError `OPTION_INVALID`
 */
export async function ensurePartitions(
  db: Database,
  { daysAhead }: PartitionOptions,
): Promise<DayOutcome<'created' | 'skipped'>[]> {
  if (!(Number.isInteger(daysAhead) && daysAhead >= 0 && daysAhead <= maxDaysAhead)) {
    const message = `daysAhead must be a whole number from 0 to ${maxDaysAhead}, not ${daysAhead}`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  const existing = new Set((await listDays(db)).map(({ name }) => name));
  const outcomes: DayOutcome<'created' | 'skipped'>[] = [];
  const today = await getDay(db, 0);
  let day = today;
  for (let i = 0; i <= daysAhead; i++, day = nextDay(day)) {
    const missing = day;
    if (existing.has(missing.name)) continue;
    outcomes.push(await runForDay(missing, () => createDay(db, missing, missing === today)));
  }
  return outcomes;
}

/**
 * Creates the partitions of a day. Attaching a partition scans the default partition under a lock
 * that blocks all others. Usually the default partitions are empty, and the scan takes no time. If
 * not, a constraint that is validated first, which blocks nobody, makes the scan unnecessary. Not
 * for today: the constraint would refuse callbacks that are accepted meanwhile.
 */
async function createDay(db: Database, day: Day, isToday: boolean): Promise<'created' | 'skipped'> {
  if (!(await isDefaultEmpty(db))) {
    if (isToday || !(await excludeFromDefault(db, day))) return 'skipped';
  }
  return db.transaction((tx) => attachDay(tx, day));
}

async function attachDay(tx: Transaction, day: Day): Promise<'created' | 'skipped'> {
  await lockPartitionChanges(tx);
  if ((await listDays(tx)).some(({ name }) => name === day.name)) return 'skipped';
  await tx.query(
    'lock table callbacks.request_default, callbacks.history_default in access exclusive mode',
  );
  // Checked under the lock: no rows are added from here on.
  if (await isInDefault(tx, day)) return 'skipped';
  for (const { name } of partitionedTables) {
    const partition = `callbacks.${name}_${day.name}`;
    // Attached, not created as a partition: that would lock the parent exclusively.
    await tx.query(
      `create table ${partition} (like callbacks.${name} including all excluding indexes)`,
    );
    await tx.query(
      `alter table callbacks.${name} attach partition ${partition}
       for values from ('${day.from}') to ('${day.to}')`,
    );
    await dropExclusion(tx, name, day);
  }
  return 'created';
}

async function isDefaultEmpty(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ empty: boolean }>(
    `select not exists (select from callbacks.request_default)
       and not exists (select from callbacks.history_default) as empty`,
  );
  return rows[0]?.empty ?? false;
}

async function isInDefault(db: Queryable, { from, to }: Day): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(
    `select exists (select from callbacks.request_default where id >= $1 and id < $2)
       or exists (select from callbacks.history_default where callback_id >= $1 and callback_id < $2)
       as found`,
    [from, to],
  );
  return rows[0]?.found ?? false;
}

/**
 * Adds a validated constraint that the default partitions have no rows of the day; false when they
 * have some.
 */
async function excludeFromDefault(db: Database, day: Day): Promise<boolean> {
  if (await isInDefault(db, day)) return false;
  await db.transaction(async (tx) => {
    await lockPartitionChanges(tx);
    for (const { name, key } of partitionedTables) {
      await dropExclusion(tx, name, day);
      await tx.query(
        `alter table callbacks.${name}_default add constraint ${exclusion(day)}
         check (${key} < '${day.from}' or ${key} >= '${day.to}') not valid`,
      );
    }
  });
  try {
    for (const { name } of partitionedTables) {
      await db.query(`alter table callbacks.${name}_default validate constraint ${exclusion(day)}`);
    }
    return true;
  } catch (error) {
    for (const { name } of partitionedTables) await dropExclusion(db, name, day);
    if (raceStates.has(sqlState(error))) return false;
    throw error;
  }
}

/**
 * SQLSTATEs of lost races: a row of the day was added meanwhile (23514, check violation), or
 * another process created the day and dropped the constraint (42704, undefined object).
 */
const raceStates: ReadonlySet<string | undefined> = new Set(['23514', '42704']);

async function dropExclusion(db: Queryable, table: string, day: Day): Promise<void> {
  await db.query(
    `alter table callbacks.${table}_default drop constraint if exists ${exclusion(day)}`,
  );
}

function exclusion(day: Day): string {
  return `not_${day.name}`;
}

import { PlatformError } from '@posthaste/contracts';
import { type Database, type Queryable, sqlState, type Transaction } from '@posthaste/postgres';
import {
  type Day,
  type DayOutcome,
  getDay,
  listDays,
  nextDay,
  orBusy,
  partitionedTables,
  takeTurn,
} from './partition-days.js';

export interface PartitionOptions {
  /** Days after today to be ready for, 0 to 366. */
  readonly daysAhead: number;
}

const maxDaysAhead = 366;

/**
 * Makes the partitions of today and the days to come that are missing; best called before the first
 * callback is taken in, and then once an hour. A day of which the default partitions have something
 * already is skipped: its callbacks stay there.
 * @returns what became of the days that were missing
 * @throws PlatformError `OPTION_INVALID`
 */
export async function ensurePartitions(
  db: Database,
  { daysAhead }: PartitionOptions,
): Promise<DayOutcome<'created' | 'skipped'>[]> {
  if (!(Number.isInteger(daysAhead) && daysAhead >= 0 && daysAhead <= maxDaysAhead)) {
    throw new PlatformError('OPTION_INVALID', `partitions for ${daysAhead} days ahead`);
  }
  const existing = new Set((await listDays(db)).map(({ name }) => name));
  const outcomes: DayOutcome<'created' | 'skipped'>[] = [];
  const today = await getDay(db, 0);
  let day = today;
  for (let i = 0; i <= daysAhead; i++, day = nextDay(day)) {
    const missing = day;
    if (existing.has(missing.name)) continue;
    outcomes.push(await orBusy(missing, () => makeDay(db, missing, missing === today)));
  }
  return outcomes;
}

/**
 * Attaching scans the default partitions behind a lock that stops everybody. While they are empty,
 * which is the rule, that takes no time. Else a constraint, checked without stopping anybody, spares
 * the scan; not for today, because it would refuse what is taken in meanwhile.
 */
async function makeDay(db: Database, day: Day, isToday: boolean): Promise<'created' | 'skipped'> {
  if (!(await isDefaultEmpty(db))) {
    if (isToday || !(await excludeFromDefault(db, day))) return 'skipped';
  }
  return db.transaction((tx) => attachDay(tx, day));
}

async function attachDay(tx: Transaction, day: Day): Promise<'created' | 'skipped'> {
  await takeTurn(tx);
  if ((await listDays(tx)).some(({ name }) => name === day.name)) return 'skipped';
  await tx.query(
    'lock table callbacks.request_default, callbacks.history_default in access exclusive mode',
  );
  // Behind the lock: nothing arrives from here on.
  if (await isInDefault(tx, day)) return 'skipped';
  for (const { name } of partitionedTables) {
    const partition = `callbacks.${name}_${day.name}`;
    // Attached rather than created in place, which would close the parent.
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

/** Proves that nothing of the day is in the default partitions; `false` when something is. */
async function excludeFromDefault(db: Database, day: Day): Promise<boolean> {
  if (await isInDefault(db, day)) return false;
  await db.transaction(async (tx) => {
    await takeTurn(tx);
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
    if (givenUp.has(sqlState(error))) return false;
    throw error;
  }
}

/** Something of the day arrived meanwhile; or another process made the day, and is done with it. */
const givenUp: ReadonlySet<string | undefined> = new Set(['23514', '42704']);

async function dropExclusion(db: Queryable, table: string, day: Day): Promise<void> {
  await db.query(
    `alter table callbacks.${table}_default drop constraint if exists ${exclusion(day)}`,
  );
}

function exclusion(day: Day): string {
  return `not_${day.name}`;
}

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Transaction } from './database.js';
import { sqlState } from './errors.js';

/** One step of a schema. It is never edited after its release, because its checksum is recorded. */
export interface Migration {
  /** Number of the step: 1 or more, ascending within the set. */
  readonly version: number;
  readonly name: string;
  /** One or several statements, run in one transaction. */
  readonly sql: string;
}

/** The migrations of one package. */
export interface MigrationSet {
  /** Name of the package, for example `callbacks`. */
  readonly owner: string;
  readonly migrations: readonly Migration[];
}

/** Identity of one migration. */
export interface MigrationStep {
  readonly owner: string;
  readonly version: number;
  readonly name: string;
}

interface OwnedMigration extends Migration {
  readonly owner: string;
}

interface JournalRow extends MigrationStep {
  readonly checksum: string;
}

/** Key of the advisory lock of migrations: "post" in ASCII. */
const lockKey = 0x706f7374;

/** Migrations, and the wait for the advisory lock, have no time limit. */
const unlimited = { statementTimeoutMs: 0 } as const;

/**
 * Longest wait of a migration for a lock on a table. All later statements on the table queue behind
 * that wait, so a process that reads it for long (a backup, a report) would stop the running ones.
 */
const tableLockTimeout = '250ms';

/** Pause after a migration that got no lock: statements in the queue are executed. */
const lockPauseMs = 500;

/** SQLSTATE of a statement that waited longer than `lock_timeout`. */
const lockNotAvailable = '55P03';

/** Time after which a migration that gets no lock fails. */
const lockDeadlineMs = 60_000;

const createJournal = `
  create schema if not exists posthaste;
  create table posthaste.migration (
    owner text not null,
    version integer not null,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    primary key (owner, version)
  )`;

/**
 * Applies the missing migrations, set by set and version by version, each in its own transaction.
 * Processes that call it at the same time wait for one another, and each migration is applied once.
 * @returns the migrations that this call applied, in order
 * @throws PlatformError `MIGRATION_MISMATCH` if the database has a migration that the sets lack, has
 *   one with another text, or lacks one that is older than its newest; `OPTION_INVALID` if the
 *   versions of a set do not ascend; `DATABASE_*` if a migration fails: it is rolled back, and those
 *   before it stay applied
 */
export async function migrate(
  db: Database,
  sets: readonly MigrationSet[],
): Promise<MigrationStep[]> {
  checkSets(sets);
  const applied: MigrationStep[] = [];
  for (;;) {
    const step = await repeatUntilLocked(() =>
      db.transaction((tx) => applyNext(tx, sets), unlimited),
    );
    if (!step) return applied;
    applied.push(step);
  }
}

/**
 * Returns the migrations that `migrate` would apply, in order.
 * @throws PlatformError as `migrate`
 */
export async function pendingMigrations(
  db: Queryable,
  sets: readonly MigrationSet[],
): Promise<MigrationStep[]> {
  checkSets(sets);
  const journal = (await journalExists(db)) ? await readJournal(db) : [];
  return sets.flatMap((set) => findPending(set, journal)).map(toStep);
}

/**
 * Checks that all migrations are applied.
 * @throws PlatformError `MIGRATION_PENDING` if `migrate` would apply one; otherwise as `migrate`
 */
export async function requireMigrations(
  db: Queryable,
  sets: readonly MigrationSet[],
): Promise<void> {
  const pending = await pendingMigrations(db, sets);
  if (pending.length === 0) return;
  const message = `pending migrations: ${pending.length}; run "posthaste migrate"`;
  throw new PlatformError('MIGRATION_PENDING', message);
}

/** Repeats a transaction that was rolled back because a lock was held by others for too long. */
async function repeatUntilLocked<T>(transaction: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + lockDeadlineMs;
  for (;;) {
    try {
      return await transaction();
    } catch (error) {
      if (sqlState(error) !== lockNotAvailable || Date.now() >= deadline) throw error;
      await sleep(lockPauseMs);
    }
  }
}

/** Applies one migration. The lock is taken, and the journal is read, again for each. */
async function applyNext(
  tx: Transaction,
  sets: readonly MigrationSet[],
): Promise<MigrationStep | undefined> {
  await tx.query('select pg_advisory_xact_lock($1)', [lockKey]);
  // Checked first, because even `if not exists` needs rights that a later account may lack.
  if (!(await journalExists(tx))) await tx.query(createJournal);
  const journal = await readJournal(tx);
  const [next] = sets.flatMap((set) => findPending(set, journal));
  if (!next) return undefined;
  await runMigration(tx, next);
  await tx.query(
    'insert into posthaste.migration (owner, version, name, checksum) values ($1, $2, $3, $4)',
    [next.owner, next.version, next.name, checksumOf(next)],
  );
  return toStep(next);
}

async function runMigration(tx: Transaction, migration: OwnedMigration): Promise<void> {
  try {
    await tx.query(`set local lock_timeout = '${tableLockTimeout}'`);
    await tx.query(migration.sql);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const message = `migration ${labelOf(migration)} failed: ${error.message}`;
    throw new PlatformError(error.code, message, { cause: error });
  }
}

async function journalExists(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ journal: string | null }>(
    `select to_regclass('posthaste.migration')::text as journal`,
  );
  return rows[0]?.journal != null;
}

async function readJournal(db: Queryable): Promise<JournalRow[]> {
  const { rows } = await db.query<JournalRow>(
    'select owner, version, name, checksum from posthaste.migration order by owner, version',
  );
  return rows;
}

/** Returns the migrations that the journal lacks. It must have all earlier ones, unchanged. */
function findPending(
  { owner, migrations }: MigrationSet,
  journal: readonly JournalRow[],
): OwnedMigration[] {
  const applied = journal.filter((row) => row.owner === owner);
  applied.forEach((row, i) => {
    const migration = migrations[i];
    if (migration?.version === row.version && checksumOf(migration) === row.checksum) return;
    const known = migrations.find(({ version }) => version === row.version);
    throw new PlatformError('MIGRATION_MISMATCH', `${labelOf(row)}: ${mismatch(known, row)}`);
  });
  return migrations.slice(applied.length).map((migration) => ({ owner, ...migration }));
}

function mismatch(known: Migration | undefined, row: JournalRow): string {
  if (!known) return 'the database has this migration, but this release does not know it';
  if (checksumOf(known) !== row.checksum) return 'it was applied with another text';
  return 'the database has this migration, but lacks one before it';
}

function checkSets(sets: readonly MigrationSet[]): void {
  const owners = new Set<string>();
  for (const { owner, migrations } of sets) {
    if (owners.has(owner))
      throw new PlatformError('OPTION_INVALID', `two migration sets have the owner "${owner}"`);
    owners.add(owner);
    let last = 0;
    for (const { version } of migrations) {
      if (!Number.isInteger(version) || version <= last) {
        throw new PlatformError(
          'OPTION_INVALID',
          `migration ${owner} ${version} follows ${last}: versions must be whole numbers that ascend from 1`,
        );
      }
      last = version;
    }
  }
}

function checksumOf(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex');
}

function labelOf({ owner, version, name }: MigrationStep): string {
  return `${owner} ${version} (${name})`;
}

function toStep({ owner, version, name }: MigrationStep): MigrationStep {
  return { owner, version, name };
}

import { createHash } from 'node:crypto';
import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Transaction } from './database.js';

/** One step of a schema. Never edited after release: its checksum is recorded. */
export interface Migration {
  /** 1 or more, ascending within the set. */
  readonly version: number;
  readonly name: string;
  /** One or several statements, run in one transaction. */
  readonly sql: string;
}

/** The migrations of one package. */
export interface MigrationSet {
  /** The package, such as `callbacks`. */
  readonly owner: string;
  readonly migrations: readonly Migration[];
}

export interface MigrationStep {
  readonly owner: string;
  readonly version: number;
  readonly name: string;
}

interface MigrationRow {
  readonly owner: string;
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

/** Key of the advisory lock: the first bytes of "posthaste" as a number. */
const lockKey = 0x706f7374;

const createJournal = `
  create schema if not exists posthaste;
  create table if not exists posthaste.migration (
    owner text not null,
    version integer not null,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    primary key (owner, version)
  )`;

/**
 * Applies what is missing, set by set and version by version, each in a transaction of its own.
 * Processes that call it at the same time take turns, and each migration is applied once.
 * @returns what this call applied
 * @throws PlatformError `MIGRATION_MISMATCH` when the database has a migration that the sets lack,
 *   or another text of one; `OPTION_INVALID` when the versions of a set do not ascend
 */
export async function migrate(
  db: Database,
  sets: readonly MigrationSet[],
): Promise<MigrationStep[]> {
  checkSets(sets);
  await db.transaction(async (tx) => {
    await lock(tx);
    await tx.query(createJournal);
  });
  const applied: MigrationStep[] = [];
  for (;;) {
    const step = await db.transaction((tx) => applyNext(tx, sets));
    if (!step) return applied;
    applied.push(step);
  }
}

/**
 * What `migrate` would apply.
 * @throws PlatformError `MIGRATION_MISMATCH`, `OPTION_INVALID` as `migrate`
 */
export async function pendingMigrations(
  db: Queryable,
  sets: readonly MigrationSet[],
): Promise<MigrationStep[]> {
  checkSets(sets);
  const { rows } = await db.query<{ journal: string | null }>(
    `select to_regclass('posthaste.migration')::text as journal`,
  );
  const recorded = rows[0]?.journal == null ? [] : await readJournal(db);
  return findPending(sets, recorded).map(({ owner, migration }) => toStep(owner, migration));
}

/** One migration per transaction; the lock is taken anew, and the journal read again, for each. */
async function applyNext(
  tx: Transaction,
  sets: readonly MigrationSet[],
): Promise<MigrationStep | undefined> {
  await lock(tx);
  const next = findPending(sets, await readJournal(tx))[0];
  if (!next) return undefined;
  const { owner, migration } = next;
  await tx.query(migration.sql);
  await tx.query(
    'insert into posthaste.migration (owner, version, name, checksum) values ($1, $2, $3, $4)',
    [owner, migration.version, migration.name, checksumOf(migration)],
  );
  return toStep(owner, migration);
}

async function lock(tx: Transaction): Promise<void> {
  // A migration may take longer than a statement may, and so may the wait for another process's.
  await tx.query('set local statement_timeout = 0');
  await tx.query('select pg_advisory_xact_lock($1)', [lockKey]);
}

async function readJournal(db: Queryable): Promise<MigrationRow[]> {
  const { rows } = await db.query<MigrationRow>(
    'select owner, version, name, checksum from posthaste.migration order by owner, version',
  );
  return rows;
}

function findPending(
  sets: readonly MigrationSet[],
  recorded: readonly MigrationRow[],
): { owner: string; migration: Migration }[] {
  const pending: { owner: string; migration: Migration }[] = [];
  for (const { owner, migrations } of sets) {
    const missing = new Map(migrations.map((migration) => [migration.version, migration]));
    for (const row of recorded) {
      if (row.owner !== owner) continue;
      checkRecorded(row, missing.get(row.version));
      missing.delete(row.version);
    }
    for (const migration of missing.values()) pending.push({ owner, migration });
  }
  return pending;
}

function checkRecorded(row: MigrationRow, migration: Migration | undefined): void {
  const label = `${row.owner} ${row.version} (${row.name})`;
  if (!migration) {
    throw new PlatformError(
      'MIGRATION_MISMATCH',
      `the database has migration ${label}, this release has not`,
    );
  }
  if (checksumOf(migration) !== row.checksum) {
    throw new PlatformError(
      'MIGRATION_MISMATCH',
      `migration ${label} was applied with another text`,
    );
  }
}

function checkSets(sets: readonly MigrationSet[]): void {
  for (const { owner, migrations } of sets) {
    let last = 0;
    for (const { version } of migrations) {
      if (!Number.isInteger(version) || version <= last) {
        throw new PlatformError('OPTION_INVALID', `migration ${owner} ${version} follows ${last}`);
      }
      last = version;
    }
  }
}

function checksumOf(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex');
}

function toStep(owner: string, { version, name }: Migration): MigrationStep {
  return { owner, version, name };
}

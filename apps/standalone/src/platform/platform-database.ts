import { join } from 'node:path';
import { accessMigrations } from '@posthaste/access';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { callbacksMigrations, ensurePartitions } from '@posthaste/callbacks';
import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import { eventstreamMigrations } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import {
  type Database,
  type MigrationSet,
  type MigrationStep,
  migrate,
  openDatabase,
} from '@posthaste/postgres';
import type { platformSettings, SettingValues } from '@posthaste/settings';
import type { Logger } from 'pino';
import { recordMigrations } from './command-changes.js';

export type PlatformSettings = SettingValues<typeof platformSettings>;

/** Tables of every part of the platform. */
export const platformMigrations: readonly MigrationSet[] = [
  accessMigrations,
  callbacksMigrations,
  eventstreamMigrations,
  // After the gateway's: moves tables that the gateway has owned.
  eventLogMigrations,
  realtimeMigrations,
];

/** Advice for errors of the data folder. */
const adviceOn: Readonly<Partial<Record<ErrorCode, string>>> = {
  DATABASE_IN_USE: 'Stop that one, or set POSTHASTE_DATA_DIR to another folder.',
  DATABASE_FOLDER_INVALID: 'Set POSTHASTE_DATA_DIR to another folder.',
};

/** Days for which partitions exist before the first callback is accepted. */
const daysAhead = 7;

/**
 * Opens the database that the settings name: Postgres at `DATABASE_URL`, else the embedded database
 * in the data folder, which is created if it does not exist.
 * @throws PlatformError `DATABASE_*`
 */
export async function openPlatformDatabase(
  {
    databaseUrl: url,
    databaseConnections: maxConnections,
    synchronousCommit,
    dataDir,
  }: PlatformSettings,
  logger: Logger,
): Promise<Database> {
  try {
    return await openDatabase({
      ...(url === undefined ? { dataDir: join(dataDir, 'database') } : { url, maxConnections }),
      synchronousCommit,
      applicationName: 'posthaste',
      logger,
    });
  } catch (error) {
    const advice = error instanceof PlatformError && adviceOn[error.code];
    if (!advice) throw error;
    throw new PlatformError(error.code, `${error.message}. ${advice}`, { cause: error });
  }
}

/**
 * Brings the tables up to date, and records that in the audit log. Safe while other processes use the
 * database.
 * @returns the migrations that were applied, in order
 * @throws PlatformError `DATABASE_*`, `MIGRATION_MISMATCH`
 */
export async function migratePlatform(db: Database): Promise<MigrationStep[]> {
  const applied = await migrate(db, platformMigrations);
  await ensurePartitions(db, { daysAhead });
  await recordMigrations(db, applied);
  return applied;
}

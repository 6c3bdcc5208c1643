import {
  type Database,
  type MigrationSet,
  requireMigrations,
  requireWritable,
} from '@posthaste/postgres';
import type { ReadinessCheck } from '@posthaste/service';

/** Creates the check that the database answers and accepts writes. */
export function databaseCheck(db: Database): ReadinessCheck {
  return { name: 'database', check: () => requireWritable(db) };
}

/** Creates the check that all migrations of this release are applied. Success is remembered. */
export function migrationsCheck(db: Database, sets: readonly MigrationSet[]): ReadinessCheck {
  let done = false;
  return {
    name: 'migrations',
    check: async () => {
      if (done) return;
      await requireMigrations(db, sets);
      done = true;
    },
  };
}

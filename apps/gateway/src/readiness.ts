import { type Database, type MigrationSet, requireMigrations } from '@posthaste/postgres';
import type { ReadinessCheck } from '@posthaste/service';

/** The database answers. */
export function databaseCheck(db: Database): ReadinessCheck {
  return { name: 'database', check: () => db.ping() };
}

/** The database has the tables of this release. Once it has, it is not asked again. */
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

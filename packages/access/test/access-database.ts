import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { afterAll, beforeAll } from 'vitest';
import { accessMigrations } from '../src/migrations.js';

export type Engine = 'postgres' | 'embedded';

/** Database of the running suite. It is opened by hooks. */
export interface DatabaseOfSuite {
  readonly db: Database;
}

/** Opens a migrated database for all tests of the suite. */
export function useDatabase(engine: Engine): DatabaseOfSuite {
  let db: Database | undefined;
  let drop: () => Promise<void> = async () => undefined;
  beforeAll(async () => {
    if (engine === 'embedded') {
      db = await openEmbedded();
    } else {
      const database = await createTestDatabase();
      drop = database.drop;
      db = await openPostgres({ url: database.url });
    }
    await migrate(db, [accessMigrations]);
  });
  afterAll(async () => {
    await db?.close();
    await drop();
  });
  return {
    get db() {
      if (!db) throw new Error('the database is opened by a hook that has not run yet');
      return db;
    },
  };
}

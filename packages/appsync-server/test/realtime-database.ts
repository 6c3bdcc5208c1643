import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { realtimeMigrations } from '../src/postgres/migrations.js';

/** Opens one migrated database for the suite, emptied before each test. Returns how to get it. */
export function useRealtimeDatabase(engine: 'postgres' | 'embedded'): () => Database {
  let db: Database | undefined;
  let drop = async (): Promise<void> => undefined;
  beforeAll(async () => {
    if (engine === 'embedded') db = await openEmbedded({});
    else {
      const database = await createTestDatabase();
      drop = () => database.drop();
      db = await openPostgres({ url: database.url, maxConnections: 8 });
    }
    await migrate(db, [realtimeMigrations]);
  });
  beforeEach(async () => {
    await db?.query('truncate realtime.node, realtime.member, realtime.channel_node cascade');
    await db?.query(
      `delete from realtime.namespace where application is not null or name <> 'default'`,
    );
    await db?.query(`update realtime.namespace set settings = '{}'`);
    await db?.query('update realtime.meta set revision = revision + 1');
  });
  afterAll(async () => {
    await db?.close();
    await drop();
  });
  return () => {
    if (db === undefined) throw new Error('the database is opened by a hook that has not run yet');
    return db;
  };
}

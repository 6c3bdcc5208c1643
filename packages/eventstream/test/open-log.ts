import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import type { LogRecord } from '../src/drivers/postgres/append/append.js';
import { PostgresLog } from '../src/drivers/postgres/postgres-log.js';
import { eventstreamMigrations } from '../src/drivers/postgres/storage/migrations.js';
import type { StoredRecord } from '../src/record.js';
import { takeEmbedded } from './embedded-pool.js';

/** Log in a database of its own, on Postgres or embedded. */
export interface TestLog {
  readonly db: Database;
  readonly log: PostgresLog;
  /** URL of the database; undefined on the embedded engine. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

export async function openTestLog(
  engine: 'postgres' | 'embedded',
  options: { readonly partitions?: number } = {},
): Promise<TestLog> {
  const { db, url, release } = await (engine === 'postgres' ? openOnPostgres() : takeEmbedded());
  await migrate(db, [eventstreamMigrations]);
  const log = new PostgresLog({ db, partitions: 1, ...options });
  return {
    db,
    log,
    url,
    close: async () => {
      await log.close();
      await release();
    },
  };
}

async function openOnPostgres() {
  const { url, drop } = await createTestDatabase();
  const db = await openPostgres({ url, maxConnections: 16 });
  return {
    db,
    url,
    release: async () => {
      await db.close();
      await drop();
    },
  };
}

/** Returns a record whose value is the text. */
export function recordOf(value: string, key?: string, topic = 'orders'): LogRecord {
  return {
    topic,
    key: key === undefined ? null : Buffer.from(key),
    value: Buffer.from(value),
    headers: {},
  };
}

/** Appends in a transaction of its own. */
export async function append(log: TestLog, ...records: readonly LogRecord[]): Promise<void> {
  await log.db.transaction((tx) => log.log.append(tx, records));
}

export function valuesOf(records: readonly StoredRecord[]): string[] {
  return records.map(({ value }) => value?.toString() ?? 'null');
}

/** Appends `count` records to partition 0 with one SQL statement. */
export async function appendMany(db: Database, topic: string, count: number): Promise<void> {
  await db.query(
    `select cardinality(eventstream.append(
       array_fill((select s.id from eventstream.shard s join eventstream.topic t on t.id = s.topic_id
         where t.name = $1 and s.partition = 0), array[$2::int]),
       array_fill(null::text, array[$2::int]), array_fill('key'::bytea, array[$2::int]),
       array_fill(convert_to(repeat('x', 100), 'utf8'), array[$2::int]),
       array_fill(null::text, array[$2::int]), '{}', '{}'))`,
    [topic, count],
  );
}

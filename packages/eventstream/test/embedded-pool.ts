import { type Database, openEmbedded } from '@posthaste/postgres';
import { afterAll } from 'vitest';

/** Embedded databases of this file that no test uses now. To start one takes a second or two. */
const idle: Database[] = [];

afterAll(async () => {
  await Promise.all(idle.splice(0).map((db) => db.close()));
});

/** An embedded database without tables. */
export interface EmbeddedDatabase {
  readonly db: Database;
  /** It has none. */
  readonly url: undefined;
  /** Empties it and keeps it for the next test of the file. */
  release(): Promise<void>;
}

/** Returns an embedded database that no other test uses now: one that a test has released, or a new one. */
export async function takeEmbedded(): Promise<EmbeddedDatabase> {
  const db = idle.pop() ?? (await openEmbedded({}));
  return {
    db,
    url: undefined,
    release: async () => {
      await dropSchemas(db);
      idle.push(db);
    },
  };
}

async function dropSchemas(db: Database): Promise<void> {
  const { rows } = await db.query<{ drop: string }>(
    `select format('drop schema %I cascade', nspname) as drop from pg_namespace
     where nspname !~ '^pg_' and nspname <> 'information_schema'`,
  );
  for (const { drop } of rows) await db.query(drop);
  await db.query('create schema public');
}

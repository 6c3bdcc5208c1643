import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { postgresAdvice } from './binaries.js';

/** An empty database for tests. */
export interface TestDatabase {
  readonly url: string;
  /** Drops the database and ends its sessions. Idempotent. */
  drop(): Promise<void>;
}

/**
 * Creates an empty database with a random name.
 * @param serverUrl URL of a database on the server to use, with a user that may create databases.
 *   Default: the server that the global setup of the tests provides (inside vitest only)
 */
export async function createTestDatabase(serverUrl?: string): Promise<TestDatabase> {
  const adminUrl = serverUrl ?? (await sharedServerUrl());
  const name = `test_${randomBytes(8).toString('hex')}`;
  // template0 accepts no connections, so concurrent calls do not block one another.
  await execute(adminUrl, `create database ${name} template template0`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => execute(adminUrl, `drop database if exists ${name} with (force)`),
  };
}

async function sharedServerUrl(): Promise<string> {
  // Imported only here, because a program that is not a test cannot import vitest.
  const { inject } = await import('vitest');
  const url = inject('postgresUrl');
  if (url === undefined) throw new Error(`no Postgres server for tests: ${postgresAdvice}`);
  return url;
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

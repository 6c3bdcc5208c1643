import { startPostgres } from '@posthaste/testbed';
import pg from 'pg';
import { parentOf } from '../process-usage.js';
import type { StoreServer } from './store.js';

const workDatabase = 'bench_run';
const templatePrefix = 'bench_seed_';
/** Usual settings for a machine that Postgres shares with other programs; the same for every contender. */
const serverSettings = {
  synchronous_commit: 'on',
  fsync: 'on',
  shared_buffers: '1GB',
  max_wal_size: '4GB',
  checkpoint_timeout: '30min',
};
const reportedSettings = [
  'server_version',
  'synchronous_commit',
  'fsync',
  'full_page_writes',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'wal_compression',
  'autovacuum',
  'max_connections',
];

/** Starts a new Postgres with `serverSettings`. @throws Error if it cannot be started */
export async function startPostgresStore(): Promise<StoreServer> {
  const server = await startPostgres({ settings: serverSettings });
  const store = await usePostgres(server.url);
  return {
    ...store,
    async close() {
      await store.close();
      await server.close();
    },
  };
}

/**
 * Connects to the Postgres at `serverUrl`. Each seed is written once and copied for every run, so that
 * all runs of a contender start from the same pages.
 *
 * @throws Error if its commits are not durable
 */
export async function usePostgres(serverUrl: string): Promise<StoreServer> {
  const admin = new pg.Client(serverUrl);
  await admin.connect();
  const facts = await readFacts(admin);
  if (facts.synchronous_commit !== 'on' || facts.fsync !== 'on') {
    throw new Error('the benchmark needs a Postgres with synchronous_commit=on and fsync=on');
  }
  const backend = await admin.query<{ pid: number }>('select pg_backend_pid() as pid');
  const templates = new Set<string>();

  async function drop(database: string): Promise<void> {
    await admin.query(`drop database if exists "${database}" with (force)`);
  }

  return {
    pid: parentOf(backend.rows[0]?.pid ?? 0),
    facts,
    async open(name, make) {
      const template = templatePrefix + name;
      if (!templates.has(template)) {
        await drop(template);
        await admin.query(`create database "${template}"`);
        templates.add(template);
        await make(databaseUrl(serverUrl, template));
        await vacuum(databaseUrl(serverUrl, template));
      }
      await drop(workDatabase);
      await admin.query(
        `create database "${workDatabase}" template "${template}" strategy file_copy`,
      );
      // So that no contender has to write dirty pages of another one.
      await admin.query('checkpoint');
      return databaseUrl(serverUrl, workDatabase);
    },
    async close() {
      for (const database of [workDatabase, ...templates]) await drop(database);
      await admin.end();
    },
  };
}

async function readFacts(client: pg.Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; value: string }>(
    `select name, current_setting(name) as value from pg_settings where name = any($1)`,
    [reportedSettings],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

async function vacuum(databaseUrlToVacuum: string): Promise<void> {
  const client = new pg.Client(databaseUrlToVacuum);
  await client.connect();
  await client.query('vacuum analyze');
  await client.end();
}

function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

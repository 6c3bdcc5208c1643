import { type PostgresServer, startPostgres } from '@posthaste/testbed';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type Database, openPostgres, type PostgresOptions } from '../src/index.js';

/** Server that the tests of one file may crash, with an empty table `kept (id int)`. */
export interface ServerUnderTest {
  readonly server: PostgresServer;
  /** Handle with the usual options; each test gets a new one. */
  readonly db: Database;
  /** Opens a handle with other options, which is closed after the test. */
  open(options?: Partial<PostgresOptions>): Promise<Database>;
  /** Returns the URL of the server with settings for the session. */
  urlWith(settings: Readonly<Record<string, string>>): string;
  /** Runs a statement on a connection of its own, as superuser. */
  asAdmin(text: string): Promise<unknown[]>;
  /** Ends every session of every handle. */
  endSessions(): Promise<void>;
}

/** Starts a server for the tests of a `describe`, and repairs it before each test. */
export function useServer(): ServerUnderTest {
  let server: PostgresServer | undefined;
  let db: Database | undefined;
  const opened: Database[] = [];
  const running = (): PostgresServer => {
    if (!server) throw new Error('the server is not started yet');
    return server;
  };
  const subject: ServerUnderTest = {
    get server() {
      return running();
    },
    get db() {
      if (!db) throw new Error('the handle is not open yet');
      return db;
    },
    async open(options = {}) {
      const { url } = running();
      const database = await openPostgres({ url, connectTimeoutMs: 2_000, ...options });
      opened.push(database);
      return database;
    },
    urlWith(settings) {
      const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
      return `${running().url}?options=${encodeURIComponent(options.join(' '))}`;
    },
    async asAdmin(text) {
      const client = new pg.Client(running().url);
      await client.connect();
      const { rows } = await client.query(text).finally(() => client.end());
      return rows;
    },
    async endSessions() {
      await subject.asAdmin(`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'posthaste'`);
    },
  };
  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: '20' } });
    await subject.asAdmin('create table kept (id int)');
  });
  beforeEach(async () => {
    await running().resume();
    await running().start();
    db = await subject.open();
    await db.query('truncate kept');
  });
  afterEach(async () => {
    await running().resume();
    await Promise.all(opened.splice(0).map((database) => database.close()));
  });
  afterAll(() => server?.close());
  return subject;
}

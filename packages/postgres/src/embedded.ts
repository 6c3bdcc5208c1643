import { mkdir } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { type Database, type DatabaseLogger, type Listener, silentLogger } from './database.js';
import { EmbeddedSocket } from './embedded-socket.js';
import { PooledDatabase } from './pooled-database.js';
import { driverTypes } from './postgres.js';

export interface EmbeddedOptions {
  /** Folder of the data; created when missing. Default: none, everything stays in memory. */
  readonly dataDir?: string;
  /** Longest wait for the connection, of which there is one, in milliseconds. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** Default: none. */
  readonly logger?: DatabaseLogger;
}

/** Opens PGlite, Postgres inside this process. */
export async function openEmbedded(options: EmbeddedOptions = {}): Promise<Database> {
  const { dataDir, connectTimeoutMs = 30_000, logger = silentLogger } = options;
  if (dataDir !== undefined) await mkdir(dataDir, { recursive: true });
  const engine = await PGlite.create(dataDir === undefined ? {} : { dataDir });
  const pool = new pg.Pool({
    host: 'embedded',
    port: 5432,
    user: 'postgres',
    database: 'postgres',
    password: 'none',
    ssl: false,
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: connectTimeoutMs,
    pipeline: true,
    types: driverTypes,
    stream: () => new EmbeddedSocket(engine),
  });
  const channels = new Map<string, Set<(payload: string) => void>>();
  pool.on('connect', (client) => {
    client.on('notification', ({ channel, payload }) => {
      for (const onNotification of channels.get(channel) ?? []) onNotification(payload ?? '');
    });
  });
  const database: Database = new PooledDatabase({
    kind: 'embedded',
    pool,
    logger,
    connectTimeoutMs,
    listen: async (channel, onNotification): Promise<Listener> => {
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners.add(onNotification));
      await database.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      return {
        close: async () => {
          if (!listeners.delete(onNotification) || listeners.size > 0) return;
          await database.query(`UNLISTEN ${pg.escapeIdentifier(channel)}`);
        },
      };
    },
    close: () => engine.close(),
  });
  return database;
}

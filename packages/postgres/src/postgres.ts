import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import { type Database, type DatabaseLogger, silentLogger } from './database.js';
import { decoderOf } from './decode-values.js';
import { ListenConnection } from './listen-connection.js';
import { PooledDatabase } from './pooled-database.js';

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with libpq's parameters such as `sslmode`. */
  readonly url: string;
  /** Most connections at a time, LISTEN's own not counted. Default 10. */
  readonly maxConnections?: number;
  /** Longest wait for a connection, free or new, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Longest time that one statement may run, in milliseconds; 0 is no limit. Default 30,000. */
  readonly statementTimeoutMs?: number;
  /** Name in `pg_stat_activity`. Default `posthaste`. */
  readonly applicationName?: string;
  /** Default: none. */
  readonly logger?: DatabaseLogger;
}

/** Detects a peer that vanished without a word, such as a firewall that forgot the connection. */
const keepAliveDelayMs = 10_000;

/** What the decoders rely on, whatever the server's or the role's own settings are. */
const sessionSettings = '-c DateStyle=ISO -c TimeZone=UTC';

/** How a driver reads values: by the decoders of this package, set per connection. */
export const driverTypes = { getTypeParser: decoderOf } as unknown as pg.CustomTypesConfig;

/**
 * A handle on a Postgres server. Connects when first used: a server that is down shows as
 * `DATABASE_UNAVAILABLE` on each call, until it is back.
 * @throws PlatformError `OPTION_INVALID`
 */
export function openPostgres(options: PostgresOptions): Promise<Database> {
  const { connectTimeoutMs = 5_000, logger = silentLogger } = options;
  const connection = connectionConfig(options, connectTimeoutMs);
  const listener = new ListenConnection(connection, logger);
  const database = new PooledDatabase({
    kind: 'postgres',
    pool: new pg.Pool({ ...connection, pipeline: true, max: options.maxConnections ?? 10 }),
    logger,
    connectTimeoutMs,
    listen: (channel, onNotification, onReconnect) =>
      listener.listen(channel, onNotification, onReconnect),
    close: () => listener.close(),
  });
  return Promise.resolve(database);
}

function connectionConfig(options: PostgresOptions, connectTimeoutMs: number): pg.ClientConfig {
  const url = parseUrl(options.url);
  const urlSettings = url.searchParams.get('options');
  url.searchParams.set(
    'options',
    urlSettings ? `${urlSettings} ${sessionSettings}` : sessionSettings,
  );
  return {
    connectionString: url.href,
    application_name: options.applicationName ?? 'posthaste',
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    types: driverTypes,
  };
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    // The text itself stays out: it holds a password.
    throw new PlatformError('OPTION_INVALID', 'the database URL is not a URL');
  }
}

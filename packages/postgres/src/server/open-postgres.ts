import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import { type Database, type DatabaseLogger, silentLogger } from '../database.js';
import { PooledDatabase } from '../session/pooled-database.js';
import { SessionPool } from '../session/session-pool.js';
import { answerGraceMs } from '../session/transaction.js';
import { driverTypes } from '../values/decode-values.js';
import { ListenConnection } from './listen-connection.js';

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with libpq's parameters such as `sslmode`. */
  readonly url: string;
  /** Most connections at a time, the one for notifications not counted. Default 10. */
  readonly maxConnections?: number;
  /** Longest wait for a connection, free or new, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /**
   * Longest time of one statement, in milliseconds; 0 is no limit. Default 30,000. The server
   * cancels it; when the server is silent for 5,000 ms more, the connection is given up.
   */
  readonly statementTimeoutMs?: number;
  /** Name in `pg_stat_activity`. Default `posthaste`. */
  readonly applicationName?: string;
  /** Settings of every session, by name, such as `{ jit: 'off' }`. Default: the server's. */
  readonly sessionSettings?: Readonly<Record<string, string>>;
  /** Told of connections lost and regained. Default: nobody. */
  readonly logger?: DatabaseLogger;
}

/** Closes connections that a quiet time leaves unused. */
const idleTimeoutMs = 60_000;

/** First probe of a quiet connection: finds a peer that vanished, and keeps firewalls from forgetting. */
const keepAliveDelayMs = 10_000;

/** What the decoders rely on, whatever the server's and the role's own settings are. */
const ownSettings: Readonly<Record<string, string>> = { DateStyle: 'ISO', TimeZone: 'UTC' };

/** The largest time limit that Postgres takes, in milliseconds. */
const maxTimeoutMs = 2 ** 31 - 1;

/**
 * A handle on a Postgres server. It connects when it is used: while the server is away, each call
 * fails with `DATABASE_UNAVAILABLE`, and calls after its return succeed.
 * @throws PlatformError `OPTION_INVALID`
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const { maxConnections = 10, connectTimeoutMs = 5_000, statementTimeoutMs = 30_000 } = options;
  checkRange('maxConnections', maxConnections, 1, 10_000);
  checkRange('connectTimeoutMs', connectTimeoutMs, 1, maxTimeoutMs);
  checkRange('statementTimeoutMs', statementTimeoutMs, 0, maxTimeoutMs - answerGraceMs);
  const { logger = silentLogger } = options;
  const connection: pg.ClientConfig = {
    connectionString: withSettings(options.url, { ...options.sessionSettings, ...ownSettings }),
    application_name: options.applicationName ?? 'posthaste',
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    types: driverTypes,
  };
  checkConnection(connection);
  const answerTimeoutMs = statementTimeoutMs === 0 ? 0 : statementTimeoutMs + answerGraceMs;
  const listener = new ListenConnection(connection, logger);
  return new PooledDatabase({
    kind: 'postgres',
    pool: new SessionPool({
      connection,
      maxConnections,
      connectTimeoutMs,
      idleTimeoutMs,
      answerTimeoutMs,
      logger,
    }),
    listen: (channel, onNotification, onReconnect) =>
      listener.listen(channel, onNotification, onReconnect),
    close: () => listener.close(),
  });
}

function checkRange(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new PlatformError(
    'OPTION_INVALID',
    `${name} is ${value}: it must be a whole number from ${min} to ${max}`,
  );
}

/** Adds the settings to the URL's `options`, which would replace options given beside the URL. */
function withSettings(url: string, settings: Readonly<Record<string, string>>): string {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    // The text itself stays out of the message: it may hold a password.
    throw new PlatformError('OPTION_INVALID', 'the database URL must begin with postgres://');
  }
  const [address, query] = splitOnce(url, '?');
  const params = new URLSearchParams(query);
  const own = params.get('options');
  const ours = Object.entries(settings).map(([name, value]) => `-c ${name}=${escaped(value)}`);
  params.set('options', [own, ...ours].filter((option) => option !== null).join(' '));
  return `${address}?${params}`;
}

/** The server splits its options at spaces. */
function escaped(value: string): string {
  return value.replace(/[\\\s]/g, '\\$&');
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** The driver reads the URL, and certificates it names, when it makes a client: better now than later. */
function checkConnection(connection: pg.ClientConfig): void {
  try {
    new pg.Client(connection);
  } catch (error) {
    throw new PlatformError('OPTION_INVALID', 'the database URL is not valid', { cause: error });
  }
}

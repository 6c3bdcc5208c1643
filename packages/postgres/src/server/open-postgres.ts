import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import { type Database, type DatabaseLogger, silentLogger } from '../database.js';
import { PooledDatabase } from '../session/pooled-database.js';
import { SessionPool } from '../session/session-pool.js';
import { responseGraceMs } from '../session/transaction.js';
import { driverTypes } from '../values/decode-values.js';
import { ListenConnection } from './listen-connection.js';

/** Options of `openPostgres`. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with parameters of libpq such as `sslmode`. */
  readonly url: string;
  /** Most connections at a time, not counting the one for notifications. Default 10. */
  readonly maxConnections?: number;
  /** Longest wait for a connection, free or new, in ms. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /**
   * Longest time of one statement, in ms; 0 is no limit. Default 30,000. The server cancels the
   * statement. If the server does not respond for 5,000 ms more, the connection is closed.
   */
  readonly statementTimeoutMs?: number;
  /** Name in `pg_stat_activity`. Default `posthaste`. */
  readonly applicationName?: string;
  /** Settings of every session, by name, such as `{ jit: 'off' }`. Default: the server's. */
  readonly sessionSettings?: Readonly<Record<string, string>>;
  /** Gets a line for each lost and reopened connection. Default: no logger. */
  readonly logger?: DatabaseLogger;
}

/** Time after which an unused connection is closed, in ms. */
const idleTimeoutMs = 60_000;

/**
 * Idle time before the first TCP keep-alive probe, in ms. Probes find lost peers, and keep firewalls
 * from dropping the connection.
 */
const keepAliveDelayMs = 10_000;

/** Settings that the decoders need. They override those of the server and of the role. */
const ownSettings: Readonly<Record<string, string>> = { DateStyle: 'ISO', TimeZone: 'UTC' };

/** The largest time limit that Postgres accepts, in ms. */
const maxTimeoutMs = 2 ** 31 - 1;

/**
 * Opens a handle on a Postgres server. It connects when it is used: while the server is down, each
 * call fails with `DATABASE_UNAVAILABLE`; when the server is up again, calls succeed.
 * @throws PlatformError `OPTION_INVALID`
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const { maxConnections = 10, connectTimeoutMs = 5_000, statementTimeoutMs = 30_000 } = options;
  checkRange('maxConnections', maxConnections, { min: 1, max: 10_000 });
  checkRange('connectTimeoutMs', connectTimeoutMs, { min: 1, max: maxTimeoutMs });
  const maxStatementTimeoutMs = maxTimeoutMs - responseGraceMs;
  checkRange('statementTimeoutMs', statementTimeoutMs, { min: 0, max: maxStatementTimeoutMs });
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
  const responseTimeoutMs = statementTimeoutMs === 0 ? 0 : statementTimeoutMs + responseGraceMs;
  const listener = new ListenConnection(connection, logger);
  return new PooledDatabase({
    kind: 'postgres',
    pool: new SessionPool({
      connection,
      maxConnections,
      connectTimeoutMs,
      idleTimeoutMs,
      responseTimeoutMs,
      logger,
    }),
    listen: (channel, onNotification, onReconnect) =>
      listener.listen(channel, onNotification, onReconnect),
    close: () => listener.close(),
  });
}

function checkRange(
  name: string,
  value: number,
  { min, max }: { readonly min: number; readonly max: number },
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new PlatformError(
    'OPTION_INVALID',
    `${name} must be a whole number from ${min} to ${max}, not ${value}`,
  );
}

/** Adds settings to the `options` of the URL, because these replace options given beside the URL. */
function withSettings(url: string, settings: Readonly<Record<string, string>>): string {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    // The message does not quote the URL, because it may contain a password.
    throw new PlatformError('OPTION_INVALID', 'the database URL must begin with postgres://');
  }
  const [address, query] = splitOnce(url, '?');
  const params = new URLSearchParams(query);
  const own = params.get('options');
  const ours = Object.entries(settings).map(([name, value]) => `-c ${name}=${escaped(value)}`);
  params.set('options', [own, ...ours].filter((option) => option !== null).join(' '));
  return `${address}?${params}`;
}

/** Escapes a value, because the server splits its options at spaces. */
function escaped(value: string): string {
  return value.replace(/[\\\s]/g, '\\$&');
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Creates a client to find faults now: the driver reads the URL and its certificates at that time. */
function checkConnection(connection: pg.ClientConfig): void {
  try {
    new pg.Client(connection);
  } catch (error) {
    throw new PlatformError('OPTION_INVALID', 'the database URL is not valid', { cause: error });
  }
}

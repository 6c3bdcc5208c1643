import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import { type Database, type DatabaseLogger, silentLogger } from '../database.js';
import { type Encryption, takeEncryption } from '../session/encryption.js';
import { PooledDatabase } from '../session/pooled-database.js';
import { SessionPool } from '../session/session-pool.js';
import { responseGraceMs } from '../session/transaction.js';
import { driverTypes } from '../values/decode-values.js';
import { ListenConnection } from './listen-connection.js';
import { PoolerCheck } from './pooler-check.js';
import { SessionSetup } from './session-setup.js';

/** Values of Postgres's `synchronous_commit`. */
export type SynchronousCommit = 'on' | 'off' | 'local' | 'remote_write' | 'remote_apply';

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
  /**
   * Settings of every session, by name, such as `{ jit: 'off' }`. Default: the server's. Those that the
   * decoders need cannot be changed.
   */
  readonly sessionSettings?: Readonly<Record<string, string>>;
  /**
   * Durability of a commit, as Postgres's `synchronous_commit`. It overrides that of the database and of
   * the role. Default `on`.
   */
  readonly synchronousCommit?: SynchronousCommit;
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
  const { encryption, ...address } = readUrl(options.url);
  const connection: pg.ClientConfig = {
    ...address,
    application_name: options.applicationName ?? 'posthaste',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    types: driverTypes,
  };
  checkConnection({ ...connection, ssl: encryption.current });
  const responseTimeoutMs = statementTimeoutMs === 0 ? 0 : statementTimeoutMs + responseGraceMs;
  const setup = new SessionSetup(
    {
      ...options.sessionSettings,
      statement_timeout: String(statementTimeoutMs),
      synchronous_commit: options.synchronousCommit ?? 'on',
    },
    new PoolerCheck(() => ({ ...connection, ssl: encryption.current })),
  );
  const listener = new ListenConnection({ connection, encryption, setup, logger });
  return new PooledDatabase({
    kind: 'postgres',
    pool: new SessionPool({
      connection,
      maxConnections,
      connectTimeoutMs,
      idleTimeoutMs,
      responseTimeoutMs,
      logger,
      encryption,
      onConnect: (session) => setup.apply(session),
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

interface ReadUrl {
  /** The URL without its parameters about TLS. */
  readonly connectionString: string;
  readonly encryption: Encryption;
  readonly sslnegotiation?: 'direct';
}

/** @throws PlatformError `OPTION_INVALID`; its message does not quote the URL, which may contain a password */
function readUrl(url: string): ReadUrl {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new PlatformError('OPTION_INVALID', 'the database URL must begin with postgres://');
  }
  const [address, query] = splitOnce(url, '?');
  const params = new URLSearchParams(query);
  const isUnixSocket =
    params.get('host')?.startsWith('/') || /^[^/]+\/\/(?:[^/]*@)?%2f/i.test(address);
  try {
    const encryption = takeEncryption(params, isUnixSocket);
    const isDirect = params.get('sslnegotiation') === 'direct';
    // Left in the URL, it would replace the choice of `encryption` in the driver.
    params.delete('sslnegotiation');
    const connectionString = params.size === 0 ? address : `${address}?${params}`;
    return { connectionString, encryption, ...(isDirect && { sslnegotiation: 'direct' }) };
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError('OPTION_INVALID', 'the database URL is not valid', { cause: error });
  }
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

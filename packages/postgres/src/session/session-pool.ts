import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import type { DatabaseLogger, PoolStats } from '../database.js';
import { toConnectError } from '../errors.js';
import { ConnectionWatchdog } from './connection-watchdog.js';
import type { Encryption } from './encryption.js';
import { Session } from './session.js';

/** Options of `SessionPool`. */
export interface SessionPoolOptions {
  /** Configuration of each connection. */
  readonly connection: pg.ClientConfig;
  readonly maxConnections: number;
  /** Longest wait for a connection, free or new, in ms. */
  readonly connectTimeoutMs: number;
  /** Time after which an unused connection is closed, in ms; 0 is never. */
  readonly idleTimeoutMs: number;
  /** Longest wait for the response to a statement, in ms; 0 is no limit. */
  readonly responseTimeoutMs: number;
  readonly logger: DatabaseLogger;
  /** Choice between TLS and no TLS for each connection. Default: that of `connection`. */
  readonly encryption?: Encryption;
  /** Prepares a new connection before its first use. */
  readonly onConnect: (session: Session) => Promise<void>;
}

/** A connection of the pool that is in use. */
type PooledSession = Session & { release(destroy: boolean): void };

/** Pool of connections. Only those in a good state are used again. */
export class SessionPool {
  readonly #pool: pg.Pool;
  readonly #watchdog: ConnectionWatchdog;
  readonly #options: SessionPoolOptions;
  /** Calls of `use` that have not ended. */
  #active = 0;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: SessionPoolOptions) {
    const { logger, responseTimeoutMs, onConnect, encryption } = options;
    const setUpTimeoutMs = responseTimeoutMs === 0 ? 0 : options.connectTimeoutMs;
    this.#options = options;
    this.#watchdog = new ConnectionWatchdog();
    this.#pool = new pg.Pool({
      ...options.connection,
      max: options.maxConnections,
      idleTimeoutMillis: options.idleTimeoutMs,
      connectionTimeoutMillis: options.connectTimeoutMs,
      // Statements are sent without waiting for the responses to earlier ones.
      pipeline: true,
      // The pool passes its options to the constructor, which its types do not say.
      Client: (encryption ? encryptedSession(encryption) : Session) as unknown as new () => Session,
      onConnect: async (client) => {
        const session = client as Session;
        // The pool's own time limit ends with the connect.
        session.responseTimeoutMs = setUpTimeoutMs;
        this.#watchdog.add(session);
        await onConnect(session);
      },
    });
    this.#pool.on('connect', (client) => {
      (client as unknown as Session).responseTimeoutMs = responseTimeoutMs;
    });
    this.#pool.on('error', (error) => {
      // Translated, because the driver attaches its whole client to the error.
      logger.warn({ err: toConnectError(error) }, 'an idle database connection was lost');
    });
  }

  /**
   * Runs `work` on a connection that no other caller uses meanwhile.
   * @throws PlatformError `DATABASE_UNAVAILABLE`, `DATABASE_FULL`, `DATABASE_TIMEOUT` or
   *   `DATABASE_ERROR` if there is no connection; otherwise the errors of `work`
   */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closing) {
      throw new PlatformError('DATABASE_UNAVAILABLE', 'the database handle is closed');
    }
    this.#active++;
    let session: PooledSession | undefined;
    try {
      session = await this.#connect();
      await endForgottenTransaction(session);
      return await work(session);
    } catch (error) {
      if (session && !session.isLost) await untilReady(session);
      throw error;
    } finally {
      session?.release(session.isLost);
      this.#active--;
      this.#resolveWhenDrained();
    }
  }

  stats(): PoolStats {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { total: totalCount, idle: idleCount, waiting: waitingCount };
  }

  /**
   * Refuses new work, waits for running and waiting work, and closes the connections. Must be called
   * once.
   */
  async close(): Promise<void> {
    // pg's pool would not wait for callers that still wait for a connection.
    this.#closing = Promise.withResolvers<void>();
    this.#resolveWhenDrained();
    await this.#closing.promise;
    await this.#pool.end();
    this.#watchdog.close();
  }

  #resolveWhenDrained(): void {
    if (this.#active === 0) this.#closing?.resolve();
  }

  async #connect(): Promise<PooledSession> {
    const { connectTimeoutMs, encryption } = this.#options;
    const startedAt = performance.now();
    const connect = (): Promise<unknown> => this.#pool.connect();
    try {
      return (await (encryption ? encryption.connect(connect) : connect())) as PooledSession;
    } catch (error) {
      if (error instanceof PlatformError) throw error;
      // The error of the pool's own time limit has no code, so it is recognised by the elapsed time.
      if (performance.now() - startedAt < connectTimeoutMs - 1) throw toConnectError(error);
      const message = `no database connection within ${connectTimeoutMs} ms`;
      throw new PlatformError('DATABASE_TIMEOUT', message, { cause: error });
    }
  }
}

/** Returns a class of sessions that use the current choice of `encryption`. */
function encryptedSession(encryption: Encryption): typeof Session {
  return class extends Session {
    constructor(config: pg.ClientConfig) {
      super({ ...config, ssl: encryption.current });
    }
  };
}

/**
 * Waits until the state of the session after an error is known, so that the next caller finds it: the
 * server sends an error before the new state. An empty statement changes nothing, and its response
 * comes after the state.
 */
async function untilReady(session: Session): Promise<void> {
  await session.run('').catch(() => undefined);
}

/**
 * Rolls back a transaction that a statement such as `begin`, sent outside of `transaction`, left open:
 * statements of later callers must not join it.
 */
async function endForgottenTransaction(session: Session): Promise<void> {
  const status = session.getTransactionStatus();
  if (status === 'T' || status === 'E') await session.run('rollback');
}

import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import type { DatabaseLogger, PoolStats } from '../database.js';
import { toConnectError } from '../errors.js';
import { AnswerWatch } from './connection-watchdog.js';
import { Session } from './session.js';

export interface SessionPoolOptions {
  /** How to connect. */
  readonly connection: pg.ClientConfig;
  readonly maxConnections: number;
  /** Longest wait for a connection, free or new, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** When an unused connection is closed, in milliseconds; 0 is never. */
  readonly idleTimeoutMs: number;
  /** Longest wait for the answer to a statement, in milliseconds; 0 is no limit. */
  readonly answerTimeoutMs: number;
  readonly logger: DatabaseLogger;
  /** Prepares a new connection before it serves anybody. */
  readonly onConnect?: (session: Session) => Promise<void>;
}

/** A connection lent by the pool. */
type PooledSession = Session & { release(destroy: boolean): void };

/** Lends connections, and takes back only those that are good. */
export class SessionPool {
  readonly #pool: pg.Pool;
  readonly #watch: AnswerWatch;
  readonly #options: SessionPoolOptions;
  #lent = 0;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: SessionPoolOptions) {
    const { logger, answerTimeoutMs, onConnect } = options;
    this.#options = options;
    this.#watch = new AnswerWatch();
    this.#pool = new pg.Pool({
      ...options.connection,
      max: options.maxConnections,
      idleTimeoutMillis: options.idleTimeoutMs,
      connectionTimeoutMillis: options.connectTimeoutMs,
      // Statements of one transaction are sent without waiting for the answers of those before.
      pipeline: true,
      // The pool passes its options to the constructor, which its types do not say.
      Client: Session as unknown as new () => Session,
      ...(onConnect ? { onConnect: (client) => onConnect(client as Session) } : {}),
    });
    this.#pool.on('connect', (client) => {
      const session = client as unknown as Session;
      session.answerLimitMs = answerTimeoutMs;
      this.#watch.add(session);
    });
    this.#pool.on('error', (error) => {
      // The driver hangs its whole client on the error, which is not for a log.
      logger.warn({ err: toConnectError(error) }, 'an idle database connection was lost');
    });
  }

  /**
   * Runs `work` on a connection of its own.
   * @throws PlatformError `DATABASE_UNAVAILABLE`, `DATABASE_FULL`, `DATABASE_TIMEOUT`,
   *   `DATABASE_ERROR` when there is no connection; else what `work` throws
   */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closing) {
      throw new PlatformError('DATABASE_UNAVAILABLE', 'the database handle is closed');
    }
    this.#lent++;
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
      this.#lent--;
      this.#resolveWhenDrained();
    }
  }

  stats(): PoolStats {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { total: totalCount, idle: idleCount, waiting: waitingCount };
  }

  /** Refuses new work, waits for what runs or waits, and closes the connections. Once. */
  async close(): Promise<void> {
    // Not left to the pool: it forgets those that still wait for a connection.
    this.#closing = Promise.withResolvers<void>();
    this.#resolveWhenDrained();
    await this.#closing.promise;
    await this.#pool.end();
    this.#watch.close();
  }

  #resolveWhenDrained(): void {
    if (this.#lent === 0) this.#closing?.resolve();
  }

  async #connect(): Promise<PooledSession> {
    const startedAt = performance.now();
    try {
      return (await this.#pool.connect()) as unknown as PooledSession;
    } catch (error) {
      const { connectTimeoutMs } = this.#options;
      // The pool's own time limit gives an error without a code: the clock tells it from others.
      if (performance.now() - startedAt < connectTimeoutMs - 1) throw toConnectError(error);
      const message = `no database connection within ${connectTimeoutMs} ms`;
      throw new PlatformError('DATABASE_TIMEOUT', message, { cause: error });
    }
  }
}

/**
 * The server sends an error ahead of the state that it leaves behind: whoever comes next must find
 * that state. An empty statement changes nothing and is answered after it.
 */
async function untilReady(session: Session): Promise<void> {
  await session.run('', undefined, false).catch(() => undefined);
}

/** A statement such as `begin`, sent outside `transaction`, must not take others along. */
async function endForgottenTransaction(session: Session): Promise<void> {
  const status = session.getTransactionStatus();
  if (status === 'T' || status === 'E') await session.run('rollback', undefined, false);
}

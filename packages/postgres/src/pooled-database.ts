import { PlatformError } from '@posthaste/contracts';
import type pg from 'pg';
import type {
  Database,
  DatabaseLogger,
  Listener,
  PoolStats,
  QueryResult,
  Statement,
  Transaction,
} from './database.js';
import { toPlatformError } from './errors.js';
import { createOrm, type Orm } from './orm.js';
import {
  type DriverResult,
  type DriverStatement,
  isBroken,
  runStatement,
  toQueryResult,
  watchSession,
} from './session.js';

/** The part of a database that differs from engine to engine. */
export interface Engine {
  readonly kind: Database['kind'];
  /** Not connected yet; the handle closes it. */
  readonly pool: pg.Pool;
  readonly logger: DatabaseLogger;
  /** Longest wait for a connection, in milliseconds: the pool's own setting. */
  readonly connectTimeoutMs: number;
  listen: Database['listen'];
  /** Releases what is not the pool's; called once, after the pool is closed. */
  close(): Promise<void>;
}

const pingStatement: Statement = { text: 'select 1' };

/** A database handle over a pool of connections. */
export class PooledDatabase implements Database {
  readonly kind: Database['kind'];
  readonly orm: Orm;
  readonly #engine: Engine;
  readonly #pool: pg.Pool;
  #closed: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.kind = engine.kind;
    this.#engine = engine;
    this.#pool = engine.pool;
    this.orm = createOrm(
      (statement, values) => this.#run(statement, values),
      (work) => this.#transact((session) => work((s, values) => session.run(s, values))),
    );
    this.#pool.on('connect', (client) => {
      watchSession(client, (error) => {
        engine.logger.warn({ err: error }, 'a database connection was lost');
      });
    });
    // Errors of idle connections; each was reported by the listener above.
    this.#pool.on('error', () => undefined);
  }

  async query<Row = unknown>(
    statement: Statement | string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    return toQueryResult(await this.#run<Row>(statement, values));
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#transact((session) => work(session));
  }

  listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<Listener> {
    return this.#engine.listen(channel, onNotification, onReconnect);
  }

  async ping(): Promise<void> {
    await this.#run(pingStatement, undefined);
  }

  poolStats(): PoolStats {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { total: totalCount, idle: idleCount, waiting: waitingCount };
  }

  close(): Promise<void> {
    this.#closed ??= this.#pool.end().then(() => this.#engine.close());
    return this.#closed;
  }

  async #run<Row>(
    statement: DriverStatement | string,
    values: readonly unknown[] | undefined,
  ): Promise<DriverResult<Row>> {
    const client = await this.#checkOut();
    try {
      return await runStatement<Row>(client, statement, values, true);
    } finally {
      client.release(isBroken(client));
    }
  }

  async #transact<T>(work: (tx: PooledTransaction) => Promise<T>): Promise<T> {
    const client = await this.#checkOut();
    const tx = new PooledTransaction(client);
    try {
      await tx.begin();
      const result = await work(tx);
      await tx.commit();
      return result;
    } catch (error) {
      await tx.rollback();
      throw error;
    } finally {
      client.release(tx.unusable);
    }
  }

  async #checkOut(): Promise<pg.PoolClient> {
    if (this.#closed)
      throw new PlatformError('DATABASE_UNAVAILABLE', 'the database handle is closed');
    const startedAt = performance.now();
    try {
      return await this.#pool.connect();
    } catch (error) {
      // The driver's own timeouts have no code; the clock tells them.
      if (performance.now() - startedAt >= this.#engine.connectTimeoutMs - 1) {
        throw new PlatformError(
          'DATABASE_TIMEOUT',
          `no database connection within ${this.#engine.connectTimeoutMs} ms`,
          { cause: error },
        );
      }
      throw toPlatformError(error, { connectionLost: true, mayHaveCommitted: false });
    }
  }
}

/** One transaction on a connection that nobody else uses meanwhile. */
class PooledTransaction implements Transaction {
  readonly #client: pg.PoolClient;
  #orm: Orm | undefined;
  #state: 'open' | 'ended' = 'ended';
  /** The connection is left in a state that nobody knows. */
  #unusable = false;

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  get orm(): Orm {
    this.#orm ??= createOrm((statement, values) => this.run(statement, values));
    return this.#orm;
  }

  get unusable(): boolean {
    return this.#unusable || isBroken(this.#client);
  }

  async query<Row = unknown>(
    statement: Statement | string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    return toQueryResult(await this.run<Row>(statement, values));
  }

  async run<Row>(
    statement: DriverStatement | string,
    values: readonly unknown[] | undefined,
  ): Promise<DriverResult<Row>> {
    // After its end the connection serves others: a late statement would join their transaction.
    if (this.#state === 'ended')
      throw new PlatformError('DATABASE_ERROR', 'the transaction has ended');
    return runStatement<Row>(this.#client, statement, values, false);
  }

  async begin(): Promise<void> {
    await runStatement(this.#client, 'BEGIN', undefined, false);
    this.#state = 'open';
  }

  async commit(): Promise<void> {
    this.#state = 'ended';
    const { command } = await runStatement(this.#client, 'COMMIT', undefined, true);
    if (command !== 'ROLLBACK') return;
    throw new PlatformError(
      'DATABASE_ERROR',
      'the transaction was rolled back, because a statement in it had failed',
    );
  }

  /** Never rejects: the error that led here is the one that matters. */
  async rollback(): Promise<void> {
    this.#state = 'ended';
    if (isBroken(this.#client)) return;
    await runStatement(this.#client, 'ROLLBACK', undefined, false).catch(() => {
      this.#unusable = true;
    });
  }
}

import type {
  Database,
  Listener,
  PoolStats,
  QueryResult,
  Statement,
  Transaction,
  TransactionOptions,
} from '../database.js';
import { committing, type DriverResult, type DriverStatement } from './session.js';
import type { SessionPool } from './session-pool.js';
import { runTransaction } from './transaction.js';

/** The parts of a handle that differ between the engines. */
export interface Engine {
  readonly kind: Database['kind'];
  /** Pool of connections. The handle closes it. */
  readonly pool: SessionPool;
  listen: Database['listen'];
  /** Stops the engine's own work on the pool. Called before the pool is closed. */
  stop?(): void;
  /** Releases the other resources of the engine, after the pool is closed. */
  close(): Promise<void>;
}

const pingStatement: Statement = { text: 'select 1' };

/** Database handle of both engines: a pool, and a way to listen. */
export class PooledDatabase implements Database {
  readonly kind: Database['kind'];
  readonly #engine: Engine;
  readonly #pool: SessionPool;
  #closed: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.kind = engine.kind;
    this.#engine = engine;
    this.#pool = engine.pool;
  }

  async query<Row = unknown>(
    statement: Statement | string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    const { rows, rowCount } = await this.#run<Row>(statement, values);
    return { rows, rowCount: rowCount ?? 0 };
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return this.#pool.use((session) => runTransaction(session, work, options));
  }

  listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<Listener> {
    return this.#engine.listen(channel, onNotification, onReconnect);
  }

  async ping(): Promise<void> {
    await this.#pool.use((session) => session.run(pingStatement));
  }

  poolStats(): PoolStats {
    return this.#pool.stats();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#engine.stop?.();
    await this.#pool.close();
    await this.#engine.close();
  }

  #run<Row>(
    statement: DriverStatement | string,
    values: readonly unknown[] | undefined,
  ): Promise<DriverResult<Row>> {
    return this.#pool.use((session) => session.run<Row>(statement, values, committing));
  }
}

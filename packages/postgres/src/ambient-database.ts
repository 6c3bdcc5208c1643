import { AsyncLocalStorage } from 'node:async_hooks';
import type {
  Database,
  Listener,
  PoolStats,
  Queryable,
  QueryResult,
  Statement,
  Transaction,
  TransactionOptions,
} from './database.js';

/** Work to be done after a commit. */
export type CommitWork = () => Promise<unknown> | unknown;

/** Transaction that the statements of a running function join. */
interface Scope {
  readonly tx: Transaction;
  /** Number of transactions around it. */
  readonly depth: number;
  readonly commitWork: CommitWork[];
  /** End of the last savepoint that was begun in it. */
  last: Promise<unknown>;
  ended: boolean;
}

/**
 * Handle whose statements join the transaction of the function that runs, if there is one: code that
 * takes a `Database` becomes part of a larger transaction without a change.
 *
 * - In `runInTransaction`, and in everything that its function calls and awaits, `query` runs in
 *   that transaction, and `transaction` in a savepoint of it, whose failure can be caught. Savepoints
 *   that are begun at the same time run one after another.
 * - Elsewhere, and after the end of the transaction, it is the handle that it was made of.
 *
 * It is for code that is rarely called. Code that gathers the work of several callers (batches, shared
 * loads, timers) must have the plain handle: it would join the transaction of one of them.
 */
export interface AmbientDatabase extends Database {
  /**
   * Runs `work` in a transaction that the statements in it join. It is committed if `work` resolves;
   * then what was passed to {@link afterCommit} is done, and awaited. It is rolled back if `work`
   * rejects. In another `runInTransaction`, it is a savepoint.
   * @throws PlatformError `DATABASE_*`, and the errors of `work` and of the work after the commit
   */
  runInTransaction<T>(
    work: (tx: Transaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
}

/** Makes a handle whose statements join the transaction of the function that runs. */
export function ambientDatabase(db: Database): AmbientDatabase {
  return new AmbientHandle(db);
}

/**
 * Does `work` after the commit of the transaction that statements on `db` join now, and not at all if
 * that is rolled back. Without one, it is done at once. For caches and for what must not be part of
 * the transaction. Whoever runs the transaction awaits it.
 */
export async function afterCommit(db: Queryable, work: CommitWork): Promise<void> {
  const scope = db instanceof AmbientHandle ? db.current() : undefined;
  if (scope) scope.commitWork.push(work);
  else await work();
}

class AmbientHandle implements AmbientDatabase {
  readonly kind: Database['kind'];
  readonly #db: Database;
  readonly #scopes = new AsyncLocalStorage<Scope>();

  constructor(db: Database) {
    this.kind = db.kind;
    this.#db = db;
  }

  /** Returns the transaction of the function that runs. */
  current(): Scope | undefined {
    const scope = this.#scopes.getStore();
    // Timers and promises that outlive the transaction still have its scope.
    return scope?.ended === false ? scope : undefined;
  }

  query<Row = unknown>(
    statement: Statement | string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    return (this.current()?.tx ?? this.#db).query<Row>(statement, values);
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T> {
    const scope = this.current();
    return scope ? this.#savepoint(scope, work) : this.#db.transaction(work, options);
  }

  async runInTransaction<T>(
    work: (tx: Transaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> {
    const outer = this.current();
    if (outer) return this.#savepoint(outer, work);
    const commitWork: CommitWork[] = [];
    const result = await this.#db.transaction(
      (tx) => this.#runScope({ tx, depth: 0, commitWork, last: none, ended: false }, work),
      options,
    );
    for (const after of commitWork) await after();
    return result;
  }

  listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<Listener> {
    return this.#db.listen(channel, onNotification, onReconnect);
  }

  ping(): Promise<void> {
    return this.#db.ping();
  }

  poolStats(): PoolStats {
    return this.#db.poolStats();
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  /** Runs `work` in a savepoint, after those that were begun in the same scope before. */
  #savepoint<T>(outer: Scope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    // Savepoints are a stack: the end of one would end those that were begun after it.
    const run = outer.last.then(() => this.#runSavepoint(outer, work));
    outer.last = run.catch(() => undefined);
    return run;
  }

  async #runSavepoint<T>(outer: Scope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const { tx, depth } = outer;
    const name = `ambient_${depth}`;
    const commitWork: CommitWork[] = [];
    await tx.query(`savepoint ${name}`);
    try {
      const scope = { tx, depth: depth + 1, commitWork, last: none, ended: false };
      const result = await this.#runScope(scope, work);
      await tx.query(`release savepoint ${name}`);
      outer.commitWork.push(...commitWork);
      return result;
    } catch (error) {
      // Fails only if the connection is lost. Then `error` says so, and the transaction is lost too.
      await tx.query(`rollback to savepoint ${name}`).catch(() => undefined);
      throw error;
    }
  }

  async #runScope<T>(scope: Scope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    try {
      return await this.#scopes.run(scope, () => work(scope.tx));
    } finally {
      scope.ended = true;
    }
  }
}

/** Promise of no work. */
const none: Promise<unknown> = Promise.resolve();

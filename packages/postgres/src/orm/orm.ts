import type { NodePgClient, NodePgTransaction } from 'drizzle-orm/node-postgres';
import type {
  PgDatabase,
  PgPreparedQuery,
  PgQueryResultHKT,
  PgTransactionConfig,
  PreparedQueryConfig,
} from 'drizzle-orm/pg-core';
import type { Database, Queryable } from '../database.js';
import type { DriverStatement } from '../session/session.js';
import { drizzle, drizzleCache, drizzleErrors, nodePostgres, pgCore } from './drizzle-modules.js';

/** drizzle's query builder: one type for both engines, for handles and transactions. */
export type Orm = PgDatabase<OrmResult>;

/** Result of `execute` for written SQL: rows with the same values as those of the handle's `query`. */
export interface OrmResult extends PgQueryResultHKT {
  readonly type: OrmRows<this['row']>;
}

interface OrmRows<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
}

const dialect = new pgCore.PgDialect();
const noLogger = new drizzle.NoopLogger();
const noCache = new drizzleCache.NoopCache();

type NoSchema = Record<string, never>;

/**
 * Creates drizzle's query builder on a handle or on a transaction, for plain reads and writes. It
 * throws the errors of the handle. Its `transaction` opens a transaction on a handle, and a savepoint
 * on a transaction.
 */
export function ormOf(db: Database | Queryable): Orm {
  const session = new OrmSession(db);
  if ('transaction' in db) return new pgCore.PgDatabase(dialect, session, undefined);
  return new nodePostgres.NodePgTransaction<NoSchema, NoSchema>(dialect, session, undefined);
}

/**
 * drizzle's session for pg, with two differences. Errors stay PlatformErrors: drizzle would wrap them
 * in an error whose message contains the parameters, secrets included. And transactions are those of
 * the handle.
 */
class OrmSession extends nodePostgres.NodePgSession<NoSchema, NoSchema> {
  readonly #client: NodePgClient;
  readonly #db: Database | Queryable;

  constructor(db: Database | Queryable) {
    const client = toDrizzleClient(db);
    super(client, dialect, undefined);
    this.#client = client;
    this.#db = db;
  }

  override prepareQuery<T extends PreparedQueryConfig = PreparedQueryConfig>(
    ...[query, fields, name, arrayMode, mapper, metadata, cacheConfig]: Parameters<
      InstanceType<typeof nodePostgres.NodePgSession<NoSchema, NoSchema>>['prepareQuery']
    >
  ): PgPreparedQuery<T> {
    return new OrmQuery<T>(
      this.#client,
      query.sql,
      query.params,
      noLogger,
      noCache,
      metadata,
      cacheConfig,
      fields,
      name,
      arrayMode,
      mapper,
    );
  }

  override transaction<T>(
    work: (tx: NodePgTransaction<NoSchema, NoSchema>) => Promise<T>,
    config?: PgTransactionConfig,
  ): Promise<T> {
    if (!('transaction' in this.#db)) return super.transaction(work, config);
    return this.#db.transaction(async (transaction) => {
      const session = new OrmSession(transaction);
      const tx = new nodePostgres.NodePgTransaction<NoSchema, NoSchema>(
        dialect,
        session,
        undefined,
      );
      if (config) await tx.setTransaction(config);
      return work(tx);
    });
  }
}

class OrmQuery<T extends PreparedQueryConfig> extends nodePostgres.NodePgPreparedQuery<T> {
  override execute(placeholders?: Record<string, unknown>): Promise<T['execute']> {
    return super.execute(placeholders).catch(rethrowCause);
  }

  override all(placeholders?: Record<string, unknown>): Promise<T['all']> {
    return super.all(placeholders).catch(rethrowCause);
  }
}

function rethrowCause(error: unknown): never {
  throw error instanceof drizzleErrors.DrizzleQueryError ? error.cause : error;
}

/**
 * Returns a client with `query` only. drizzle's session calls no other method of a pg client, because
 * the transactions are not its own.
 */
function toDrizzleClient(db: Queryable): NodePgClient {
  const query = (statement: DriverStatement, values: readonly unknown[]) => {
    if (statement.rowMode === 'array') return db.query(statement, values);
    // Raw statements return the values of the handle; drizzle's decoders are for its column mappers.
    const { types: _, ...plain } = statement;
    return db.query(plain, values);
  };
  return { query } as unknown as NodePgClient;
}

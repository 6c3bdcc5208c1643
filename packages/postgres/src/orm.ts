import type { NodePgClient, NodePgTransaction } from 'drizzle-orm/node-postgres';
import type {
  PgPreparedQuery,
  PgTransactionConfig,
  PreparedQueryConfig,
} from 'drizzle-orm/pg-core';
import type { Orm } from './database.js';
import { drizzle, drizzleCache, drizzleErrors, nodePostgres, pgCore } from './drizzle.js';
import type { DriverResult, DriverStatement } from './session.js';

/** Runs one statement for drizzle. */
export type OrmRunner = (
  statement: DriverStatement,
  values: readonly unknown[],
) => Promise<DriverResult<unknown>>;

/** Opens a transaction for `orm.transaction`, and gives it a runner of its own. */
export type OrmTransactor = <T>(work: (run: OrmRunner) => Promise<T>) => Promise<T>;

const dialect = new pgCore.PgDialect();
const noLogger = new drizzle.NoopLogger();
const noCache = new drizzleCache.NoopCache();

type NoSchema = Record<string, never>;

/** drizzle on a handle (with `transact`) or on a transaction (without: nested ones are savepoints). */
export function createOrm(run: OrmRunner, transact?: OrmTransactor): Orm {
  if (!transact)
    return new nodePostgres.NodePgTransaction<NoSchema, NoSchema>(
      dialect,
      new OrmSession(run),
      undefined,
    );
  return new pgCore.PgDatabase(dialect, new OrmSession(run, transact), undefined);
}

/**
 * drizzle's session for pg, with two differences: errors stay PlatformErrors (drizzle wraps them in
 * one whose message holds the parameters, secrets included), and transactions are the handle's.
 */
class OrmSession extends nodePostgres.NodePgSession<NoSchema, NoSchema> {
  readonly #client: NodePgClient;
  readonly #transact: OrmTransactor | undefined;

  constructor(run: OrmRunner, transact?: OrmTransactor) {
    const client = toDrizzleClient(run);
    super(client, dialect, undefined);
    this.#client = client;
    this.#transact = transact;
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
    if (!this.#transact) return super.transaction(work, config);
    return this.#transact(async (run) => {
      const tx = new nodePostgres.NodePgTransaction<NoSchema, NoSchema>(
        dialect,
        new OrmSession(run),
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

/** The one method of a pg client that drizzle's session calls once transactions are not its own. */
function toDrizzleClient(run: OrmRunner): NodePgClient {
  const query = (statement: DriverStatement, values: readonly unknown[]) => {
    if (statement.rowMode === 'array') return run(statement, values);
    // Raw statements give the handle's values; drizzle's own decoders serve its column mappers.
    const { types: _, ...plain } = statement;
    return run(plain, values);
  };
  return { query } as unknown as NodePgClient;
}

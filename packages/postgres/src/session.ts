import { PlatformError } from '@posthaste/contracts';
import type pg from 'pg';
import type { QueryResult, Statement } from './database.js';
import { encodeValues } from './encode-values.js';
import { endsSession, toPlatformError } from './errors.js';

/** A statement as the driver takes it. drizzle asks for rows as arrays and brings its own decoders. */
export interface DriverStatement extends Statement {
  readonly rowMode?: 'array';
  readonly types?: pg.CustomTypesConfig;
}

/** What the driver answers. */
export type DriverResult<Row> = pg.QueryResult<pg.QueryResultRow & Row>;

/** Sessions that broke. A broken one is never given back to the pool. */
const broken = new WeakSet<pg.ClientBase>();

/**
 * Watches a connection from its first moment: without a listener, an error on an idle connection
 * would end the process.
 */
export function watchSession(client: pg.ClientBase, onLost: (error: Error) => void): void {
  client.on('error', (error) => {
    if (broken.has(client)) return;
    broken.add(client);
    onLost(error);
  });
}

export function isBroken(client: pg.ClientBase): boolean {
  return broken.has(client);
}

/**
 * Runs one statement on a session.
 * @param commits whether the statement, when it succeeds, makes something durable
 */
export async function runStatement<Row>(
  client: pg.ClientBase,
  statement: DriverStatement | string,
  values: readonly unknown[] | undefined,
  commits: boolean,
): Promise<DriverResult<Row>> {
  if (broken.has(client))
    throw new PlatformError('DATABASE_UNAVAILABLE', 'the connection was lost');
  try {
    return await send<Row>(client, statement, values);
  } catch (error) {
    // The answer comes before the socket closes: the next statement must not meet this session.
    if (endsSession(error)) broken.add(client);
    throw toPlatformError(error, {
      connectionLost: broken.has(client),
      mayHaveCommitted: commits,
    });
  }
}

/** The part of the driver's answer that callers see. */
export function toQueryResult<Row>(result: DriverResult<Row>): QueryResult<Row> {
  return { rows: result.rows, rowCount: result.rowCount ?? 0 };
}

function send<Row>(
  client: pg.ClientBase,
  statement: DriverStatement | string,
  values: readonly unknown[] | undefined,
): Promise<DriverResult<Row>> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null, result: DriverResult<Row> | DriverResult<Row>[]): void => {
      if (error) reject(error);
      else resolve(lastResult(result));
    };
    (client as DriverClient<Row>).query(statement, values && encodeValues(values), settle);
  });
}

/** The callback form of the driver's `query`: its promise form makes two promises more. */
interface DriverClient<Row> {
  query(
    statement: DriverStatement | string,
    values: readonly unknown[] | undefined,
    settle: (error: Error | null, result: DriverResult<Row> | DriverResult<Row>[]) => void,
  ): void;
}

function lastResult<Row>(result: DriverResult<Row> | DriverResult<Row>[]): DriverResult<Row> {
  if (!Array.isArray(result)) return result;
  const last = result.at(-1);
  if (!last) throw new PlatformError('DATABASE_ERROR', 'the statements gave no result');
  return last;
}

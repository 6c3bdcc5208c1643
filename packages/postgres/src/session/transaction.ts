import { PlatformError } from '@posthaste/contracts';
import type { QueryResult, Statement, Transaction, TransactionOptions } from '../database.js';
import { committing, type DriverResult, type DriverStatement, type Session } from './session.js';

/** Time that is added to the time limit of a statement for the way to the server and back, in ms. */
export const responseGraceMs = 5_000;

/**
 * Runs `work` between BEGIN and COMMIT. Afterwards the session is in the state before, or lost.
 * @throws PlatformError `DATABASE_*`, and the errors of `work`
 */
export async function runTransaction<T>(
  session: Session,
  work: (tx: SessionTransaction) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const usualTimeoutMs = session.responseTimeoutMs;
  const tx = new SessionTransaction(session);
  try {
    const timeoutMs = responseTimeoutOf(options, usualTimeoutMs);
    // A server that is silent is so from the first statement on.
    if (timeoutMs !== 0) session.responseTimeoutMs = Math.min(timeoutMs, usualTimeoutMs);
    await session.run(beginStatement(options));
    session.responseTimeoutMs = timeoutMs;
    const result = await work(tx);
    tx.end();
    await commit(session);
    return result;
  } catch (error) {
    tx.end();
    await rollback(session);
    throw error;
  } finally {
    session.responseTimeoutMs = usualTimeoutMs;
  }
}

function beginStatement({ statementTimeoutMs }: TransactionOptions): string {
  if (statementTimeoutMs === undefined) return 'begin';
  return `begin; set local statement_timeout = ${Math.trunc(statementTimeoutMs)}`;
}

function responseTimeoutOf(
  { statementTimeoutMs }: TransactionOptions,
  usualTimeoutMs: number,
): number {
  // A handle without a limit has none here either: its engine ignores statement_timeout.
  if (statementTimeoutMs === undefined || usualTimeoutMs === 0) return usualTimeoutMs;
  return statementTimeoutMs === 0 ? 0 : statementTimeoutMs + responseGraceMs;
}

async function commit(session: Session): Promise<void> {
  const { command } = await session.run('commit', undefined, committing);
  if (command !== 'ROLLBACK') return;
  throw new PlatformError(
    'DATABASE_ERROR',
    'the transaction was rolled back, because one of its statements failed',
  );
}

/** Rolls back. Never rejects, because the caller must get the error that led here. */
async function rollback(session: Session): Promise<void> {
  if (session.isLost) return;
  // A session in an unknown state must not be used again.
  await session.run('rollback').catch((error: Error) => session.abort(error));
}

/** Transaction that runs its statements on one session. */
export class SessionTransaction implements Transaction {
  readonly #session: Session;
  #ended = false;

  constructor(session: Session) {
    this.#session = session;
  }

  async query<Row = unknown>(
    statement: Statement | string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    const { rows, rowCount } = await this.run<Row>(statement, values);
    return { rows, rowCount: rowCount ?? 0 };
  }

  async run<Row>(
    statement: DriverStatement | string,
    values: readonly unknown[] | undefined,
  ): Promise<DriverResult<Row>> {
    // The session is used by other callers then: a late statement would join their transaction.
    if (this.#ended) throw new PlatformError('DATABASE_ERROR', 'the transaction has ended');
    return this.#session.run<Row>(statement, values);
  }

  end(): void {
    this.#ended = true;
  }
}

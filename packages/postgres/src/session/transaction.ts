import { PlatformError } from '@posthaste/contracts';
import type { QueryResult, Statement, Transaction, TransactionOptions } from '../database.js';
import type { DriverResult, DriverStatement, Session } from './session.js';

/** Added to a statement's time limit for the way to the server and back, in milliseconds. */
export const answerGraceMs = 5_000;

/**
 * Runs `work` between BEGIN and COMMIT. Afterwards the session is as before, or lost.
 * @throws PlatformError `DATABASE_*`, and what `work` throws
 */
export async function runTransaction<T>(
  session: Session,
  work: (tx: SessionTransaction) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const usualLimitMs = session.answerLimitMs;
  const tx = new SessionTransaction(session);
  try {
    await session.run(beginStatement(options), undefined, false);
    session.answerLimitMs = answerLimitOf(options, usualLimitMs);
    const result = await work(tx);
    tx.end();
    await commit(session);
    return result;
  } catch (error) {
    tx.end();
    await rollback(session);
    throw error;
  } finally {
    session.answerLimitMs = usualLimitMs;
  }
}

function beginStatement({ statementTimeoutMs }: TransactionOptions): string {
  if (statementTimeoutMs === undefined) return 'begin';
  return `begin; set local statement_timeout = ${Math.trunc(statementTimeoutMs)}`;
}

function answerLimitOf({ statementTimeoutMs }: TransactionOptions, usualLimitMs: number): number {
  // A handle without a limit has none here: its engine knows no statement_timeout.
  if (statementTimeoutMs === undefined || usualLimitMs === 0) return usualLimitMs;
  return statementTimeoutMs === 0 ? 0 : statementTimeoutMs + answerGraceMs;
}

async function commit(session: Session): Promise<void> {
  const { command } = await session.run('commit', undefined, true);
  if (command !== 'ROLLBACK') return;
  throw new PlatformError(
    'DATABASE_ERROR',
    'the transaction was rolled back, because a statement in it had failed',
  );
}

/** Never rejects: the error that led here is the one to tell. */
async function rollback(session: Session): Promise<void> {
  if (session.isLost) return;
  // A session in an unknown state must not serve others.
  await session.run('rollback', undefined, false).catch((error: Error) => session.abort(error));
}

/** The transaction as its user sees it. */
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
    // After its end the session serves others: a late statement would join their transaction.
    if (this.#ended) throw new PlatformError('DATABASE_ERROR', 'the transaction has ended');
    return this.#session.run<Row>(statement, values, false);
  }

  end(): void {
    this.#ended = true;
  }
}

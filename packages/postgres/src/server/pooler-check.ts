import { PlatformError } from '@posthaste/contracts';
import type pg from 'pg';
import { toConnectError } from '../errors.js';
import { ConnectionWatchdog } from '../session/connection-watchdog.js';
import { Session } from '../session/session.js';

/** Times that the two sessions are compared: other clients of the pooler may come in between. */
const rounds = 3;
/** Longest wait of the second session for a connection of the pooler to the server, in ms. */
const responseTimeoutMs = 2_000;

const readPid = 'select pg_backend_pid() as pid';

/**
 * Finds a pooler that gives each transaction another server process. Sessions are not sessions then:
 * settings, LISTEN and prepared statements end up with other clients.
 *
 * A pooler announces a process id of its own, so a session whose announced id is that of the server
 * process needs no more than this comparison. Otherwise two sessions are compared: a server process that
 * serves both, or a session that changes its process, proves that transactions are pooled.
 */
export class PoolerCheck {
  readonly #connection: () => pg.ClientConfig;
  /** True when the pooler was found to pool by session. */
  #passed = false;

  /** @param connection returns the configuration of the second session */
  constructor(connection: () => pg.ClientConfig) {
    this.#connection = connection;
  }

  /**
   * Checks a new session.
   * @param pid id of the server process that has just served it
   * @throws PlatformError `DATABASE_UNSUITABLE` if the pooler pools transactions or statements;
   *   otherwise `DATABASE_*`
   */
  async check(session: Session, pid: number): Promise<void> {
    if (this.#passed || session.announcedPid === pid) return;
    const other = new Session(this.#connection());
    other.responseTimeoutMs = responseTimeoutMs;
    const watchdog = new ConnectionWatchdog();
    watchdog.add(other);
    try {
      await other.connect().catch((error: unknown) => {
        throw toConnectError(error);
      });
      if (await sharesProcess(session, other, pid)) {
        // The server process goes on to serve others, who did not ask for these settings.
        await session.run('reset all');
        throw transactionPooling();
      }
      this.#passed = true;
    } catch (error) {
      if (isStatementPooling(error)) throw transactionPooling();
      // The pooler has no free connection: this is checked again with the next session.
      if (!(error instanceof PlatformError && error.code === 'DATABASE_TIMEOUT')) throw error;
    } finally {
      watchdog.close();
      await other.end().catch(() => undefined);
    }
  }
}

/** True if one server process serves both sessions, or if `session` changes its process. */
async function sharesProcess(session: Session, other: Session, pid: number): Promise<boolean> {
  for (let round = 0; round < rounds; round++) {
    // A transaction holds its process, so that `session` cannot use the same one meanwhile.
    await other.run('begin');
    const otherPid = await pidOf(other);
    const isShared = otherPid === pid || (await pidOf(session)) !== pid;
    await other.run('rollback');
    if (isShared) return true;
  }
  return false;
}

async function pidOf(session: Session): Promise<number | undefined> {
  const { rows } = await session.run<{ pid: number }>(readPid);
  return rows[0]?.pid;
}

/** True if the pooler refused a transaction, because it pools single statements. */
function isStatementPooling(error: unknown): boolean {
  return error instanceof PlatformError && error.message.includes('statement pooling');
}

function transactionPooling(): PlatformError {
  return new PlatformError(
    'DATABASE_UNSUITABLE',
    'the database URL leads to a connection pooler that pools transactions, and LISTEN, settings and prepared statements need sessions: set pool_mode=session for this database in PgBouncer, use the session port of your provider, or connect to Postgres itself',
  );
}

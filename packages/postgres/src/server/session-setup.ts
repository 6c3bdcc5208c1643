import { PlatformError } from '@posthaste/contracts';
import type { Session } from '../session/session.js';
import { type SessionFacts, setUpStatement } from '../session/session-settings.js';
import type { PoolerCheck } from './pooler-check.js';

/** Prepares each new session on a server: applies the settings, and refuses unsuitable databases. */
export class SessionSetup {
  readonly #statement: string;
  readonly #poolerCheck: PoolerCheck;

  /** @param settings settings in addition to those that the code depends on, which win */
  constructor(settings: Readonly<Record<string, string>>, poolerCheck: PoolerCheck) {
    this.#statement = setUpStatement(settings);
    this.#poolerCheck = poolerCheck;
  }

  /**
   * Must be called before the first use of the session.
   * @throws PlatformError `DATABASE_UNSUITABLE` if no session of this database can be used; otherwise
   *   `DATABASE_*`
   */
  async apply(session: Session): Promise<void> {
    const { rows } = await session.run<SessionFacts>(this.#statement);
    const [facts] = rows;
    if (!facts) throw new PlatformError('DATABASE_ERROR', 'the set-up of a session had no result');
    checkFacts(facts);
    await this.#poolerCheck.check(session, facts.pid);
  }
}

function checkFacts({ encoding, replication_role: role }: SessionFacts): void {
  if (encoding !== 'UTF8') {
    throw new PlatformError(
      'DATABASE_UNSUITABLE',
      `the database has the encoding ${encoding}, and must have UTF8: create another one with "create database … encoding 'UTF8' template template0"`,
    );
  }
  if (role !== 'origin') {
    // It cannot be set here, because that needs the rights of a superuser.
    throw new PlatformError(
      'DATABASE_UNSUITABLE',
      `the database or the role sets session_replication_role to ${role}, which switches off triggers and foreign keys: reset it with "alter database … reset session_replication_role" or "alter role … reset session_replication_role"`,
    );
  }
}

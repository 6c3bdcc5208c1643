import { timingSafeEqual } from 'node:crypto';
import { newId, PlatformError, parseId, toCompactId } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import type { SessionAuthenticator } from '../authenticator.js';
import type { Caller } from '../caller.js';
import {
  CredentialCache,
  type CredentialCacheOptions,
  type FoundCredential,
} from '../credential-cache.js';
import { hashSecret, newSecret } from '../keys/api-token.js';
import { narrowRights, type Rights } from '../rights.js';
import { type Grant, rightsOfGrants } from '../roles.js';
import type { Identity } from './identity.js';
import type { NewSession, Session, UsableSession } from './session.js';
import {
  findSession,
  findUsableSession,
  findUsableSessions,
  insertSession,
  listSessions,
  revokeSession,
  updateSessionUse,
} from './session-store.js';

const tokenPattern = /^phs_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/;

export interface CreatedSession {
  readonly session: Session;
  /** Value of the session cookie. It is not stored, so this is the only time that it can be seen. */
  readonly token: string;
}

export interface SessionsOptions extends CredentialCacheOptions {
  /** Name of the cookie that holds a session. */
  readonly cookieName: string;
  /** Longest time of a session, in ms. */
  readonly lengthMs: number;
  /** Time without a request after which a session ends, in ms. */
  readonly idleTimeoutMs: number;
  /** Called when a last use could not be written. The session still works. Default: does nothing. */
  readonly onUseError?: ((error: unknown) => void) | undefined;
}

/** Rights of a session that has not ended. */
export interface SessionRights {
  readonly rights: readonly Rights[];
  /** As in `Caller`. */
  readonly countedAs: string;
  /** Milliseconds until it ends, by the database's clock. */
  readonly remainingMs: number;
}

/** Sessions of a database, with a cache of those in use. Needs `accessMigrations`. */
export class Sessions implements SessionAuthenticator {
  readonly cookieName: string;
  readonly #db: Queryable;
  readonly #options: SessionsOptions;
  readonly #cache: CredentialCache;

  constructor(db: Queryable, options: SessionsOptions) {
    this.cookieName = options.cookieName;
    this.#db = db;
    this.#options = options;
    this.#cache = new CredentialCache(
      {
        find: (token) => this.#find(token),
        findUsable: (callers) => this.#findUsable(callers),
        // The same error for unknown, revoked, expired and wrong ones: guessers learn nothing.
        refused: () => new PlatformError('SESSION_INVALID', 'the session has ended; sign in again'),
      },
      options,
    );
  }

  /**
   * Creates the session of a person who has signed in.
   * @throws PlatformError `SIGN_IN_FAILED` if the sign-in already has one; `DATABASE_*`
   */
  createForPerson(
    { issuer, subject, name, email }: Identity,
    { grants, signInId }: { readonly grants: readonly Grant[]; readonly signInId: string },
  ): Promise<CreatedSession> {
    return this.#create({ issuer, subject, name, email, grants, signInId, apiKeyId: null });
  }

  /** Creates a session with the rights of an API key, which ends with the key. */
  createForKey({
    id,
    name,
  }: {
    readonly id: string;
    readonly name: string;
  }): Promise<CreatedSession> {
    const identity = { issuer: null, subject: id, name, email: null };
    return this.#create({ ...identity, grants: [], signInId: null, apiKeyId: id });
  }

  findCached(token: string): Caller | undefined {
    return this.#cache.findCached(token);
  }

  hasEnded(token: string): boolean {
    return this.#cache.hasEnded(token);
  }

  /** @throws PlatformError `SESSION_INVALID`; `DATABASE_*` when the session cannot be looked up */
  authenticate(token: string): Promise<Caller> {
    return this.#cache.authenticate(token);
  }

  /**
   * Finds a session that has not ended, by its id.
   * @throws PlatformError `SESSION_NOT_FOUND`, `DATABASE_*`
   */
  async get(id: string): Promise<UsableSession> {
    const session = await this.#findUsableSession(id);
    if (session !== undefined) return session;
    throw sessionNotFound(id);
  }

  /** Returns the rights of those sessions that have not ended, by id. For tokens made in them. */
  async findRights(ids: readonly string[]): Promise<Map<string, SessionRights>> {
    if (ids.length === 0) return new Map();
    const { idleTimeoutMs: idleMs } = this.#options;
    const found = await findUsableSessions(this.#db, { ids, idleMs });
    return new Map(
      found.map((session) => [
        session.id,
        {
          rights: rightsOf(session),
          countedAs: countedAs(session),
          remainingMs: session.remainingMs,
        },
      ]),
    );
  }

  /** Finds a session, ended or not, by its id. @throws PlatformError `DATABASE_*` */
  async find(id: string): Promise<Session | undefined> {
    const parsed = parseId(id);
    return parsed === undefined ? undefined : findSession(this.#db, parsed);
  }

  /** Lists sessions, newest first, with those that ended in the last 30 days. */
  list(page: { readonly limit: number; readonly before?: string | undefined }): Promise<Session[]> {
    return listSessions(this.#db, page);
  }

  /**
   * Ends a session: in this process at once, in others within a second. Revoking twice is no error.
   * @throws PlatformError `SESSION_NOT_FOUND`, `DATABASE_*`
   */
  async revoke(id: string): Promise<Session> {
    const parsed = parseId(id);
    const session = parsed === undefined ? undefined : await revokeSession(this.#db, parsed);
    if (session === undefined) throw sessionNotFound(id);
    this.#cache.forget(session.id);
    return session;
  }

  /** Stops the checks of sessions in memory. May be called twice. The database stays open. */
  close(): void {
    this.#cache.close();
  }

  async #create(
    session: Omit<NewSession, 'id' | 'secretHash' | 'lengthMs'>,
  ): Promise<CreatedSession> {
    const id = newId();
    const secret = newSecret();
    const { lengthMs } = this.#options;
    const secretHash = hashSecret(secret);
    const stored = await insertSession(this.#db, { ...session, id, secretHash, lengthMs });
    if (stored === undefined) {
      throw new PlatformError('SIGN_IN_FAILED', 'this sign-in was used already; start a new one');
    }
    return { session: stored, token: `phs_${toCompactId(id)}_${secret}` };
  }

  async #find(token: string): Promise<FoundCredential | undefined> {
    const [, compactId, secret] = tokenPattern.exec(token) ?? [];
    if (compactId === undefined || secret === undefined) return undefined;
    const session = await this.#findUsableSession(compactId);
    if (!session || !timingSafeEqual(session.secretHash, hashSecret(secret))) return undefined;
    this.#writeUse([session]);
    return { caller: toCaller(session), remainingMs: session.remainingMs };
  }

  async #findUsableSession(id: string): Promise<UsableSession | undefined> {
    const parsed = parseId(id);
    if (parsed === undefined) return undefined;
    return findUsableSession(this.#db, { id: parsed, idleMs: this.#options.idleTimeoutMs });
  }

  /** Returns the ids of sessions that have not ended and have the rights that they had. */
  async #findUsable(callers: readonly Caller[]): Promise<string[]> {
    const ids = callers.map(({ id }) => id);
    const { idleTimeoutMs: idleMs } = this.#options;
    const found = await findUsableSessions(this.#db, { ids, idleMs });
    this.#writeUse(found);
    const current = new Map(found.map((session) => [session.id, toRightsText(rightsOf(session))]));
    return callers
      .filter(({ id, rights = [] }) => current.get(id) === toRightsText(rights))
      .map(({ id }) => id);
  }

  #writeUse(sessions: readonly UsableSession[]): void {
    const ids = sessions.filter(({ isUseDue }) => isUseDue).map(({ id }) => id);
    if (ids.length === 0) return;
    const { onUseError = () => undefined } = this.#options;
    updateSessionUse(this.#db, ids).catch(onUseError);
  }
}

function sessionNotFound(id: string): PlatformError {
  return new PlatformError('SESSION_NOT_FOUND', `there is no session with the id '${id}'`);
}

function rightsOf({ key, grants }: UsableSession): readonly Rights[] {
  if (key === null) return rightsOfGrants(grants);
  const { applications, scopes } = key;
  return [{ applications, scopes }];
}

function toCaller(session: UsableSession): Caller {
  const { id, name, expiresAt } = session;
  const rights = rightsOf(session);
  return {
    ...{ kind: 'person', id, name, expiresAt, rights, countedAs: countedAs(session) },
    ...narrowRights(rights),
  };
}

function countedAs({ issuer, subject }: UsableSession): string {
  return issuer === null ? subject : `${issuer} ${subject}`;
}

/** Returns a text that differs if the rights differ. */
export function toRightsText(rights: readonly Rights[]): string {
  return JSON.stringify(rights.map(({ applications, scopes }) => [applications, scopes]));
}

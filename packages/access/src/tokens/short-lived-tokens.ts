import { type Applications, idTime, newId, PlatformError, parseId } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import type { Authenticator } from '../authenticator.js';
import type { Caller, TokenParent } from '../caller.js';
import {
  CredentialCache,
  type CredentialCacheOptions,
  type FoundCredential,
} from '../credential-cache.js';
import { deriveKey } from '../derived-key.js';
import { type Sessions, toRightsText } from '../people/sessions.js';
import { maxTokenLength, signToken, verifyToken } from './token-format.js';
import {
  checkWithin,
  type ParentRights,
  parentOf,
  type TokenRequest,
  toCaller,
} from './token-rights.js';
import {
  findParentKeys,
  findRemovedApplications,
  findRevokedTokens,
  insertTokenRevocation,
  maxRevocations,
} from './token-store.js';

/** Longest life of a token, in seconds. */
export const maxTokenSeconds = 86_400;

export interface CreatedToken {
  readonly id: string;
  readonly token: string;
  readonly expiresAt: Date;
}

export interface ShortLivedTokensOptions extends CredentialCacheOptions {
  /** Secret key of the platform, the same in all processes. */
  readonly secretKey: Uint8Array;
  readonly sessions: Pick<Sessions, 'findRights'>;
  /** True accepts tokens that were made without a credential, on a server that needs none. */
  readonly acceptsLocal: boolean;
  /** Returns Unix milliseconds. Default `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

const localRights: ParentRights = {
  countedAs: 'local',
  rights: [{ applications: 'all', scopes: ['admin'] }],
  remainingMs: null,
};

/**
 * Tokens for browsers and portals, which live for minutes or hours. They may do what they name, as
 * far as their parent, the key or session that made them, may do it at the time of the request; they
 * end with it. Their life is measured on the clock of the process that checks them.
 */
export class ShortLivedTokens implements Authenticator {
  readonly #db: Queryable;
  readonly #options: ShortLivedTokensOptions;
  readonly #key: Buffer;
  readonly #clock: () => number;
  readonly #cache: CredentialCache;
  /** Rights of the parent when the caller was found, as a text. */
  readonly #parentRights = new WeakMap<Caller, string>();

  constructor(db: Queryable, options: ShortLivedTokensOptions) {
    this.#db = db;
    this.#options = options;
    this.#key = deriveKey(options.secretKey, 'short-lived tokens');
    this.#clock = options.clock ?? Date.now;
    this.#cache = new CredentialCache(
      {
        find: (token) => this.#find(token),
        findUsable: (callers) => this.#findUsable(callers),
        // The same error for forged and expired ones, and those whose parent has ended.
        refused: () =>
          new PlatformError('TOKEN_INVALID', 'the token is not valid, or has ended; get a new one'),
      },
      options,
    );
  }

  /**
   * Makes a token for a caller. Nothing is stored.
   * @throws PlatformError `TOKEN_PARENT_INVALID` if the caller is itself a token; `SCOPE_MISSING`,
   *   `APPLICATION_FORBIDDEN`, `CHANNEL_FORBIDDEN` for more than the caller may do; `REQUEST_INVALID` if it gets too long
   */
  create(caller: Caller, request: TokenRequest): CreatedToken {
    const parent = parentOf(caller);
    checkWithin(caller, request);
    const { name, applications, scopes, channels, expiresInSeconds } = request;
    const id = newId();
    const expiresAt = Math.floor(this.#clock() / 1_000) + expiresInSeconds;
    const payload = { id, name, parent, applications, scopes, channels, expiresAt };
    const token = signToken(payload, this.#key);
    if (token.length > maxTokenLength) {
      throw new PlatformError(
        'REQUEST_INVALID',
        `the token would have ${token.length} characters, over ${maxTokenLength}; name fewer applications or channels`,
      );
    }
    return { id, token, expiresAt: new Date(expiresAt * 1_000) };
  }

  /**
   * Revokes a token that the caller has made, or the caller itself if it is a token: in this process
   * at once, in others within a second. An id that is not of such a token changes nothing.
   * @throws PlatformError `TOKEN_NOT_FOUND` for what is no id, `TOKEN_REVOCATIONS_EXHAUSTED`,
   *   `DATABASE_*`
   */
  async revoke(caller: Caller, id: string): Promise<void> {
    const parsed = parseId(id);
    const isOther = caller.kind === 'token' && caller.id !== parsed;
    if (parsed === undefined || isOther) {
      throw new PlatformError('TOKEN_NOT_FOUND', `the caller has no token with the id '${id}'`);
    }
    const { id: parentId } = caller.parent ?? parentOf(caller);
    const revocation = { id: parsed, parentId, keptSeconds: maxTokenSeconds };
    if (!(await insertTokenRevocation(this.#db, revocation))) {
      throw new PlatformError(
        'TOKEN_REVOCATIONS_EXHAUSTED',
        `${maxRevocations} tokens of this key or session were revoked one by one today; revoke the key, or end the session`,
      );
    }
    this.#cache.forget(parsed);
  }

  /** True if `revoke` was called for the id, by its maker or by itself. @throws PlatformError `DATABASE_*` */
  async isRevoked(caller: Caller, id: string): Promise<boolean> {
    const { id: parentId } = caller.parent ?? parentOf(caller);
    return (await findRevokedTokens(this.#db, [{ id, parentId }])).size > 0;
  }

  findCached(token: string): Caller | undefined {
    return this.#cache.findCached(token);
  }

  hasEnded(token: string): boolean {
    return this.#cache.hasEnded(token);
  }

  /** @throws PlatformError `TOKEN_INVALID`; `DATABASE_*` when its parent cannot be looked up */
  authenticate(token: string): Promise<Caller> {
    return this.#cache.authenticate(token);
  }

  /** Stops the checks of tokens in memory. May be called twice. The database stays open. */
  close(): void {
    this.#cache.close();
  }

  async #find(token: string): Promise<FoundCredential | undefined> {
    const payload = verifyToken(token, this.#key);
    if (payload === undefined) return undefined;
    const lifeMs = payload.expiresAt * 1_000 - this.#clock();
    if (lifeMs <= 0) return undefined;
    const parents = await this.#findParents([payload]);
    const parent = parents.get(keyOf(payload.parent));
    const isRemoved = await this.#findRemoved([payload]);
    const applications = withoutRemoved(payload, isRemoved);
    const caller = parent && toCaller({ ...payload, applications }, parent);
    if (parent === undefined || caller === undefined) return undefined;
    const revoked = await findRevokedTokens(this.#db, [toRevocable(payload)]);
    if (revoked.size > 0) return undefined;
    this.#parentRights.set(caller, toRightsText(parent.rights));
    return { caller, remainingMs: Math.min(lifeMs, parent.remainingMs ?? lifeMs) };
  }

  /**
   * Returns the ids of tokens that are not revoked, whose parents have the rights they had, and none of
   * whose applications was removed.
   */
  async #findUsable(callers: readonly Caller[]): Promise<string[]> {
    const tokens = callers.flatMap(({ id, parent }) => (parent ? [{ id, parent }] : []));
    const [parents, revoked, isRemoved] = await Promise.all([
      this.#findParents(tokens),
      findRevokedTokens(this.#db, tokens.map(toRevocable)),
      this.#findRemoved(callers),
    ]);
    return callers
      .filter((caller) => {
        const parent = caller.parent && parents.get(keyOf(caller.parent));
        if (parent === undefined || revoked.has(caller.id)) return false;
        const left = withoutRemoved(caller, isRemoved);
        if (left.length !== caller.applications.length) return false;
        return toRightsText(parent.rights) === this.#parentRights.get(caller);
      })
      .map(({ id }) => id);
  }

  /** Returns a function that is true if a token was made before its application was removed. */
  async #findRemoved(
    tokens: readonly { readonly applications: Applications }[],
  ): Promise<IsRemoved> {
    const names = tokens.flatMap(({ applications }) =>
      applications === 'all' ? [] : applications,
    );
    const removed = await findRemovedApplications(this.#db, [...new Set(names)]);
    // By the clock of the maker. A removal takes 15 s, in which nobody makes a token for it.
    return (id, application) => (removed.get(application) ?? 0) >= idTime(id).getTime();
  }

  /** Returns the rights of those parents that have not ended, by `keyOf`. */
  async #findParents(
    tokens: readonly { readonly parent: TokenParent }[],
  ): Promise<Map<string, ParentRights>> {
    const idsOf = (kind: TokenParent['kind']): string[] => [
      ...new Set(
        tokens.filter(({ parent }) => parent.kind === kind).map(({ parent }) => parent.id),
      ),
    ];
    const keyIds = idsOf('key');
    const [keys, sessions] = await Promise.all([
      keyIds.length === 0 ? [] : findParentKeys(this.#db, keyIds),
      this.#options.sessions.findRights(idsOf('session')),
    ]);
    const parents = new Map<string, ParentRights>();
    for (const key of keys) {
      parents.set(keyOf({ kind: 'key', id: key.id }), { ...key, countedAs: key.id });
    }
    for (const [id, rights] of sessions) parents.set(keyOf({ kind: 'session', id }), rights);
    if (this.#options.acceptsLocal) parents.set(keyOf({ kind: 'local', id: 'local' }), localRights);
    return parents;
  }
}

type IsRemoved = (tokenId: string, application: string) => boolean;

/** Returns the applications of a token, or of its caller, that were not removed since it was made. */
function withoutRemoved(
  { id, applications }: { readonly id: string; readonly applications: Applications },
  isRemoved: IsRemoved,
): Applications {
  if (applications === 'all') return applications;
  return applications.filter((application) => !isRemoved(id, application));
}

function keyOf({ kind, id }: TokenParent): string {
  return `${kind} ${id}`;
}

function toRevocable({ id, parent }: { readonly id: string; readonly parent: TokenParent }) {
  return { id, parentId: parent.id };
}

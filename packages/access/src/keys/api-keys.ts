import { timingSafeEqual } from 'node:crypto';
import {
  type Applications,
  ExpiringCache,
  newId,
  PlatformError,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import type { Authenticator } from '../authenticator.js';
import type { Caller } from '../caller.js';
import type { Scope } from '../scopes.js';
import {
  type ApiKey,
  findUsableKey,
  insertKey,
  listKeys,
  revokeKey,
  updateLastUsed,
} from './api-key-store.js';
import { fingerprint, hashSecret, newSecret, parseToken, toToken } from './api-token.js';

export interface CreatedKey {
  readonly key: ApiKey;
  /** Token that callers send. It is not stored, so this is the only time that it can be seen. */
  readonly token: string;
}

export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Applications that it may use. Default: all. */
  readonly applications?: Applications;
  /** End of the key's validity. Default: `null`, which is never. */
  readonly expiresAt?: Date | null;
}

export interface ApiKeysOptions {
  /**
   * Time for which a key is trusted without asking the database, in ms: a revoked key works this
   * long in other processes. Default 10,000.
   */
  readonly cacheMs?: number;
  /** Most valid tokens, and most invalid tokens, that are remembered. Default 10,000. */
  readonly cacheSize?: number;
  /** Interval in which `lastUsedAt` is written, in ms. Default 60,000. */
  readonly lastUsedIntervalMs?: number;
  /** Returns the time in ms of a clock that only goes forward. Default `performance.now`. */
  readonly now?: () => number;
  /**
   * Called when `lastUsedAt` could not be written. Keys still work. Default: does nothing.
   */
  readonly onLastUsedError?: (error: unknown) => void;
}

/** API keys of a database, with a cache of those in use. Needs `accessMigrations`. */
export class ApiKeys implements Authenticator {
  readonly #db: Queryable;
  readonly #options: Required<ApiKeysOptions>;
  /** Caches, by the fingerprint of the token. */
  readonly #validKeys: ExpiringCache<Caller>;
  readonly #invalidTokens: ExpiringCache<true>;
  /**
   * Running lookups, by the fingerprint of the token: a burst of one key asks the database once.
   */
  readonly #lookups = new Map<string, Promise<Caller>>();
  readonly #usedIds = new Set<string>();
  /** Number of revocations: a lookup that began before one must not be cached after it. */
  #revocations = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(db: Queryable, options: ApiKeysOptions = {}) {
    const { cacheMs = 10_000, cacheSize = 10_000, lastUsedIntervalMs = 60_000 } = options;
    const { now = () => performance.now(), onLastUsedError = () => undefined } = options;
    this.#db = db;
    this.#options = { cacheMs, cacheSize, lastUsedIntervalMs, now, onLastUsedError };
    this.#validKeys = new ExpiringCache(cacheSize);
    // A cache of its own, so that a flood of guesses does not push out the valid keys.
    this.#invalidTokens = new ExpiringCache(cacheSize);
  }

  /** Stores a new key and returns it with its token. @throws PlatformError `DATABASE_*` */
  async createKey({
    name,
    scopes,
    applications = 'all',
    expiresAt = null,
  }: KeyRequest): Promise<CreatedKey> {
    const id = newId();
    const secret = newSecret();
    const secretHash = hashSecret(secret);
    const key = await insertKey(this.#db, {
      id,
      name,
      scopes,
      applications: toApplicationColumn(applications),
      expiresAt,
      secretHash,
    });
    return { key, token: toToken({ id, secret }) };
  }

  /**
   * Lists keys, newest first, with revoked and expired ones. `limit` defaults to 100; `before` is
   * the id of the last key of the page before.
   * @throws PlatformError `DATABASE_*`
   */
  listKeys(page: { limit?: number; before?: string | undefined } = {}): Promise<ApiKey[]> {
    return listKeys(this.#db, { limit: page.limit ?? 100, before: page.before });
  }

  /**
   * Revokes a key: in this process at once, in others within `cacheMs`. Revoking twice is no error.
   * @throws PlatformError `KEY_NOT_FOUND`, `DATABASE_*`
   */
  async revokeKey(id: string): Promise<ApiKey> {
    const parsed = parseId(id);
    const key = parsed === undefined ? undefined : await revokeKey(this.#db, parsed);
    if (key === undefined) {
      throw new PlatformError('KEY_NOT_FOUND', `there is no API key with the id '${id}'`);
    }
    this.#revocations += 1;
    this.#validKeys.clear();
    return key;
  }

  /** Returns the key of a token if it is cached. Never asks the database. */
  findCached(token: string): Caller | undefined {
    const key = this.#validKeys.get(fingerprint(token), this.#options.now());
    if (key !== undefined) this.#markUsed(key.id);
    return key;
  }

  /**
   * Returns the key of a token, from the cache or from the database.
   * @throws PlatformError `KEY_INVALID`; `DATABASE_*` when the key cannot be looked up
   */
  async authenticate(token: string): Promise<Caller> {
    const cached = this.findCached(token);
    if (cached !== undefined) return cached;
    const cacheKey = fingerprint(token);
    if (this.#invalidTokens.get(cacheKey, this.#options.now())) throw invalidKey();
    const lookup = this.#lookups.get(cacheKey) ?? this.#startLookup(cacheKey, token);
    const key = await lookup;
    this.#markUsed(key.id);
    return key;
  }

  /** Writes outstanding times of last use. May be called twice. The database stays open. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writeLastUsed();
  }

  #startLookup(cacheKey: string, token: string): Promise<Caller> {
    const lookup = this.#lookUp(cacheKey, token).finally(() => this.#lookups.delete(cacheKey));
    this.#lookups.set(cacheKey, lookup);
    return lookup;
  }

  async #lookUp(cacheKey: string, token: string): Promise<Caller> {
    const revocations = this.#revocations;
    const parsed = parseToken(token);
    const row = parsed && (await findUsableKey(this.#db, parsed.id));
    const now = this.#options.now();
    if (!parsed || !row || !timingSafeEqual(row.secretHash, hashSecret(parsed.secret))) {
      this.#invalidTokens.set(cacheKey, true, now + this.#options.cacheMs);
      throw invalidKey();
    }
    const { id, name, scopes, applications } = row;
    const key: Caller = {
      kind: 'key',
      id,
      name,
      scopes,
      applications: applications ?? 'all',
      expiresAt: row.expiresAt,
    };
    const trustMs = Math.min(this.#options.cacheMs, row.remainingMs ?? this.#options.cacheMs);
    if (revocations === this.#revocations) this.#validKeys.set(cacheKey, key, now + trustMs);
    return key;
  }

  #markUsed(id: string): void {
    this.#usedIds.add(id);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#writeLastUsed();
    }, this.#options.lastUsedIntervalMs).unref();
  }

  async #writeLastUsed(): Promise<void> {
    if (this.#usedIds.size === 0) return;
    const ids = [...this.#usedIds];
    this.#usedIds.clear();
    await updateLastUsed(this.#db, ids).catch(this.#options.onLastUsedError);
  }
}

/** Returns the same error for unknown, revoked, expired and wrong keys: guessers learn nothing. */
function invalidKey(): PlatformError {
  return new PlatformError('KEY_INVALID', 'the API key is unknown, revoked or expired');
}

import { timingSafeEqual } from 'node:crypto';
import { ExpiringCache, newId, PlatformError, parseId } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import {
  type ApiKey,
  findUsableKey,
  insertKey,
  listKeys,
  revokeKey,
  touchKeys,
} from './api-key-store.js';
import { fingerprint, hashSecret, newSecret, parseToken, toToken } from './api-token.js';
import type { Scope } from './scopes.js';

/** Who is behind a request. */
export interface AuthenticatedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}

export interface CreatedKey {
  readonly key: ApiKey;
  /** What the caller sends. Not stored: this is the only time that it can be seen. */
  readonly token: string;
}

export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Default: never. */
  readonly expiresAt?: Date | null;
}

export interface ApiKeysOptions {
  /** How long a key is trusted after a look at the database: a revoked one works this long. Default 10,000. */
  readonly cacheMs?: number;
  /** Most tokens that are remembered, good and bad each. Default 10,000. */
  readonly cacheSize?: number;
  /** How often `lastUsedAt` is written. Default 60,000. */
  readonly touchMs?: number;
  /** Milliseconds on a clock that only goes forward. Default `performance.now`. */
  readonly now?: () => number;
  /** Hears of a `lastUsedAt` that could not be written, which hurts nobody. Default: nothing. */
  readonly onTouchFailed?: (error: unknown) => void;
}

/** The API keys of a database. Needs `gatewayMigrations`. */
export class ApiKeys {
  readonly #db: Queryable;
  readonly #options: Required<ApiKeysOptions>;
  readonly #good: ExpiringCache<AuthenticatedKey>;
  readonly #bad: ExpiringCache<true>;
  /** Looks at the database that are under way: a burst of one key asks once. */
  readonly #lookups = new Map<string, Promise<AuthenticatedKey>>();
  readonly #used = new Set<string>();
  /** Counts revocations: a look that began before one must not be remembered after it. */
  #revocations = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(db: Queryable, options: ApiKeysOptions = {}) {
    const { cacheMs = 10_000, cacheSize = 10_000, touchMs = 60_000 } = options;
    const { now = () => performance.now(), onTouchFailed = () => undefined } = options;
    this.#db = db;
    this.#options = { cacheMs, cacheSize, touchMs, now, onTouchFailed };
    this.#good = new ExpiringCache(cacheSize);
    // Apart from the good ones: a flood of guesses must not push those out.
    this.#bad = new ExpiringCache(cacheSize);
  }

  /** @throws PlatformError `DATABASE_*` */
  async createKey({ name, scopes, expiresAt = null }: KeyRequest): Promise<CreatedKey> {
    const id = newId();
    const secret = newSecret();
    const secretHash = hashSecret(secret);
    const key = await insertKey(this.#db, { id, name, scopes, expiresAt, secretHash });
    return { key, token: toToken({ id, secret }) };
  }

  /**
   * Newest first, revoked and expired ones included. `limit` is 100 unless given; `before` is the
   * id of the last key of the page before.
   * @throws PlatformError `DATABASE_*`
   */
  listKeys(page: { limit?: number; before?: string | undefined } = {}): Promise<ApiKey[]> {
    return listKeys(this.#db, { limit: page.limit ?? 100, before: page.before });
  }

  /**
   * Takes effect at once here, and within `cacheMs` in other processes. Revoking twice is no error.
   * @throws PlatformError `KEY_NOT_FOUND`, `DATABASE_*`
   */
  async revokeKey(id: string): Promise<ApiKey> {
    const parsed = parseId(id);
    const key = parsed === undefined ? undefined : await revokeKey(this.#db, parsed);
    if (key === undefined) throw new PlatformError('KEY_NOT_FOUND', `there is no API key ${id}`);
    this.#revocations += 1;
    this.#good.clear();
    return key;
  }

  /** The key of a token that was looked up a moment ago: no waiting, no database. */
  recall(token: string): AuthenticatedKey | undefined {
    const key = this.#good.get(fingerprint(token), this.#options.now());
    if (key !== undefined) this.#markUsed(key.id);
    return key;
  }

  /**
   * The key of a token, from memory or from the database.
   * @throws PlatformError `KEY_INVALID`; `DATABASE_*` when that could not be found out
   */
  async authenticate(token: string): Promise<AuthenticatedKey> {
    const known = this.recall(token);
    if (known !== undefined) return known;
    const mark = fingerprint(token);
    if (this.#bad.get(mark, this.#options.now())) throw invalidKey();
    const lookup = this.#lookups.get(mark) ?? this.#startLookup(mark, token);
    const key = await lookup;
    this.#markUsed(key.id);
    return key;
  }

  /** Writes what is left of `lastUsedAt`. May be called twice. The database stays open. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#touch();
  }

  #startLookup(mark: string, token: string): Promise<AuthenticatedKey> {
    const lookup = this.#lookUp(mark, token).finally(() => this.#lookups.delete(mark));
    this.#lookups.set(mark, lookup);
    return lookup;
  }

  async #lookUp(mark: string, token: string): Promise<AuthenticatedKey> {
    const revocations = this.#revocations;
    const parsed = parseToken(token);
    const row = parsed && (await findUsableKey(this.#db, parsed.id));
    const now = this.#options.now();
    if (!parsed || !row || !timingSafeEqual(row.secretHash, hashSecret(parsed.secret))) {
      this.#bad.set(mark, true, now + this.#options.cacheMs);
      throw invalidKey();
    }
    const key = { id: row.id, name: row.name, scopes: row.scopes };
    const trustMs = Math.min(this.#options.cacheMs, row.remainingMs ?? this.#options.cacheMs);
    if (revocations === this.#revocations) this.#good.set(mark, key, now + trustMs);
    return key;
  }

  #markUsed(id: string): void {
    this.#used.add(id);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#touch();
    }, this.#options.touchMs).unref();
  }

  async #touch(): Promise<void> {
    if (this.#used.size === 0) return;
    const ids = [...this.#used];
    this.#used.clear();
    await touchKeys(this.#db, ids).catch(this.#options.onTouchFailed);
  }
}

/** One message for unknown, revoked, expired and wrong: a guesser learns nothing. */
function invalidKey(): PlatformError {
  return new PlatformError('KEY_INVALID', 'the API key is unknown, revoked or expired');
}

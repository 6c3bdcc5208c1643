import { timingSafeEqual } from 'node:crypto';
import {
  type Applications,
  newId,
  PlatformError,
  parseChannel,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import { afterCommit, type Queryable } from '@posthaste/postgres';
import type { Authenticator } from '../authenticator.js';
import type { Caller } from '../caller.js';
import {
  CredentialCache,
  type CredentialCacheOptions,
  type FoundCredential,
} from '../credential-cache.js';
import type { Scope } from '../scopes.js';
import {
  type ApiKey,
  findKey,
  findUsableIds,
  findUsableKey,
  insertKey,
  type KeyPage,
  listKeys,
  revokeKey,
  updateLastUsed,
} from './api-key-store.js';
import { hashSecret, newSecret, parseToken, toToken } from './api-token.js';

export interface CreatedKey {
  readonly key: ApiKey;
  /** Token that callers send. It is not stored, so this is the only time that it can be seen. */
  readonly token: string;
}

export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Applications that it may use. Default: all. */
  readonly applications?: Applications | undefined;
  /** Realtime channels that it may use, as paths and patterns. Default: `null`, which is all. */
  readonly channels?: readonly string[] | null | undefined;
  /** End of the key's validity. Default: `null`, which is never. */
  readonly expiresAt?: Date | null | undefined;
}

/** Options of API keys, with those of the cache of keys in use. */
export interface ApiKeysOptions extends CredentialCacheOptions {
  /** Interval in which `lastUsedAt` is written, in ms. Default 60,000. */
  readonly lastUsedIntervalMs?: number;
  /**
   * Called when `lastUsedAt` could not be written. Keys still work. Default: does nothing.
   */
  readonly onLastUsedError?: (error: unknown) => void;
}

/** API keys of a database, with a cache of those in use. Needs `accessMigrations`. */
export class ApiKeys implements Authenticator {
  readonly #db: Queryable;
  readonly #cache: CredentialCache;
  readonly #lastUsedIntervalMs: number;
  readonly #onLastUsedError: (error: unknown) => void;
  readonly #usedIds = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(db: Queryable, options: ApiKeysOptions = {}) {
    const { lastUsedIntervalMs = 60_000, onLastUsedError = () => undefined } = options;
    this.#db = db;
    this.#lastUsedIntervalMs = lastUsedIntervalMs;
    this.#onLastUsedError = onLastUsedError;
    const find = (token: string) => findByToken(db, token);
    const findUsable = (callers: readonly Caller[]) => findUsableIds(db, callers);
    this.#cache = new CredentialCache({ find, findUsable, refused: invalidKey }, options);
  }

  /**
   * Stores a new key and returns it with its token.
   * @throws PlatformError `REQUEST_INVALID` for a channel, `DATABASE_*`
   */
  async createKey({
    name,
    scopes,
    applications = 'all',
    channels = null,
    expiresAt = null,
  }: KeyRequest): Promise<CreatedKey> {
    checkChannels(channels);
    const id = newId();
    const secret = newSecret();
    const secretHash = hashSecret(secret);
    const key = await insertKey(this.#db, {
      id,
      name,
      scopes,
      applications: toApplicationColumn(applications),
      channels,
      expiresAt,
      secretHash,
    });
    return { key, token: toToken({ id, secret }) };
  }

  /**
   * Lists keys whose applications are all `within` these, newest first, with revoked and expired
   * ones. `limit` defaults to 100; `before` is the id of the last key of the page before.
   * @throws PlatformError `DATABASE_*`
   */
  listKeys(within: Applications, page: Partial<KeyPage> = {}): Promise<ApiKey[]> {
    return listKeys(this.#db, within, { limit: page.limit ?? 100, before: page.before });
  }

  /**
   * Returns a key whose applications are all `within` these, also a revoked or expired one.
   * @throws PlatformError `DATABASE_*`
   */
  async findKey(id: string, within: Applications): Promise<ApiKey | undefined> {
    const parsed = parseId(id);
    return parsed === undefined ? undefined : findKey(this.#db, parsed, within);
  }

  /**
   * Revokes a key whose applications are all `within` these: in this process at once, in others
   * within a second. Revoking twice is no error.
   * @throws PlatformError `KEY_NOT_FOUND`, `DATABASE_*`
   */
  async revokeKey(id: string, within: Applications): Promise<ApiKey> {
    const parsed = parseId(id);
    const key = parsed === undefined ? undefined : await revokeKey(this.#db, parsed, within);
    if (key === undefined) {
      throw new PlatformError('KEY_NOT_FOUND', `there is no API key with the id '${id}'`);
    }
    // Until the commit, a lookup would find the key as it was, and keep it.
    await afterCommit(this.#db, () => this.#cache.forget(key.id));
    return key;
  }

  findCached(token: string): Caller | undefined {
    const key = this.#cache.findCached(token);
    if (key !== undefined) this.#markUsed(key.id);
    return key;
  }

  hasEnded(token: string): boolean {
    return this.#cache.hasEnded(token);
  }

  /** @throws PlatformError `KEY_INVALID`; `DATABASE_*` when the key cannot be looked up */
  async authenticate(token: string): Promise<Caller> {
    const key = await this.#cache.authenticate(token);
    this.#markUsed(key.id);
    return key;
  }

  /** Writes outstanding times of last use. May be called twice. The database stays open. */
  async close(): Promise<void> {
    this.#cache.close();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writeLastUsed();
  }

  #markUsed(id: string): void {
    this.#usedIds.add(id);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#writeLastUsed();
    }, this.#lastUsedIntervalMs).unref();
  }

  async #writeLastUsed(): Promise<void> {
    if (this.#usedIds.size === 0) return;
    const ids = [...this.#usedIds];
    this.#usedIds.clear();
    await updateLastUsed(this.#db, ids).catch(this.#onLastUsedError);
  }
}

function checkChannels(channels: readonly string[] | null): void {
  const invalid = channels?.find((channel) => parseChannel(channel)?.path !== channel);
  if (invalid === undefined) return;
  const message = `'${invalid}' is no realtime channel; name one such as /default/room, or all below one: /default/*`;
  throw new PlatformError('REQUEST_INVALID', message);
}

async function findByToken(db: Queryable, token: string): Promise<FoundCredential | undefined> {
  const parsed = parseToken(token);
  const row = parsed && (await findUsableKey(db, parsed.id));
  if (!parsed || !row || !timingSafeEqual(row.secretHash, hashSecret(parsed.secret))) {
    return undefined;
  }
  const { id, name, scopes, applications, channels, expiresAt, remainingMs } = row;
  const caller: Caller = {
    ...{ kind: 'key', id, name, scopes, applications: applications ?? 'all', expiresAt },
    ...(channels === null ? {} : { channels }),
  };
  return { caller, remainingMs };
}

/** Returns the same error for unknown, revoked, expired and wrong keys: guessers learn nothing. */
function invalidKey(): PlatformError {
  return new PlatformError('KEY_INVALID', 'the API key is unknown, revoked or expired');
}

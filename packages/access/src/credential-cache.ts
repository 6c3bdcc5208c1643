import { hash } from 'node:crypto';
import { ExpiringCache, type PlatformError } from '@posthaste/contracts';
import type { Authenticator } from './authenticator.js';
import type { Caller } from './caller.js';

/** Caller of a credential that was looked up. */
export interface FoundCredential {
  readonly caller: Caller;
  /** Milliseconds until the credential expires, by the database's clock; `null` is never. */
  readonly remainingMs: number | null;
}

/** Table of one kind of credentials. */
export interface CredentialSource {
  /** Looks a credential up. Returns undefined if it is unknown, revoked or expired. */
  find(credential: string): Promise<FoundCredential | undefined>;
  /**
   * Returns the ids of those callers that are still what `find` found: neither revoked, expired nor
   * changed. One statement, for up to `cacheSize` callers.
   */
  findUsable(callers: readonly Caller[]): Promise<readonly string[]>;
  /** Creates the error of a credential that is refused, the same for every reason. */
  refused(): PlatformError;
}

/** Options of a cache of credentials. */
export interface CredentialCacheOptions {
  /** Wait between two checks of the credentials in memory, in ms. Default 400. */
  readonly checkMs?: number | undefined;
  /**
   * Longest time for which a credential is trusted while it cannot be checked, because the database
   * does not answer, in ms. Default 10,000.
   */
  readonly trustMs?: number | undefined;
  /** Time after which an unused credential is no longer kept and checked, in ms. Default 10,000. */
  readonly idleMs?: number | undefined;
  /** Most valid credentials, and most invalid ones, that are remembered. Default 10,000. */
  readonly cacheSize?: number | undefined;
  /** Returns the time in ms of a clock that only goes forward. Default `performance.now`. */
  readonly now?: (() => number) | undefined;
  /** Called when credentials could not be checked. They are trusted for `trustMs`. */
  readonly onCheckError?: ((error: unknown) => void) | undefined;
}

/** Credential in memory. Times are on the clock of the options. */
interface Entry {
  readonly caller: Caller;
  /** Time from which it has expired. */
  readonly expiresAt: number;
  /** Time at which the database was last asked, and knew it as usable. */
  checkedAt: number;
  usedAt: number;
}

/**
 * Credentials of one kind that are in use. While there are any, one statement each `checkMs` asks
 * the database which of them are still usable: a credential that is revoked anywhere is refused here
 * within a second, and no request waits for that. Credentials that are not used for `idleMs` are
 * dropped, so everything in memory was checked lately, or the database does not answer.
 */
export class CredentialCache implements Authenticator {
  readonly #source: CredentialSource;
  readonly #checkMs: number;
  readonly #trustMs: number;
  readonly #idleMs: number;
  readonly #cacheSize: number;
  readonly #now: () => number;
  readonly #onCheckError: (error: unknown) => void;
  /**
   * Valid credentials that are in use. By their text: a fingerprint would cost every request more
   * than all other checks of it, and requests hold the text in memory anyway.
   */
  readonly #entries = new Map<string, Entry>();
  /** A cache of its own, so that a flood of guesses does not push out the valid ones. */
  readonly #refused: ExpiringCache<true>;
  /** Credentials in use that were found to be revoked or changed. */
  readonly #ended: ExpiringCache<true>;
  /** Running lookups, by fingerprint: a burst of one credential asks the database once. */
  readonly #lookups = new Map<string, Promise<Caller>>();
  /** Number of calls of `forget`: a lookup that began before one must not be kept after it. */
  #forgotten = 0;
  #timer: NodeJS.Timeout | undefined;
  #isChecking = false;
  #isClosed = false;

  constructor(source: CredentialSource, options: CredentialCacheOptions = {}) {
    const { checkMs = 400, trustMs = 10_000, idleMs = 10_000, cacheSize = 10_000 } = options;
    const { now = () => performance.now(), onCheckError = () => undefined } = options;
    this.#source = source;
    this.#checkMs = checkMs;
    this.#trustMs = trustMs;
    this.#idleMs = idleMs;
    this.#cacheSize = cacheSize;
    this.#now = now;
    this.#onCheckError = onCheckError;
    this.#refused = new ExpiringCache(cacheSize);
    this.#ended = new ExpiringCache(cacheSize);
  }

  findCached(credential: string): Caller | undefined {
    const entry = this.#entries.get(credential);
    if (entry === undefined) return undefined;
    const now = this.#now();
    if (now >= entry.expiresAt || now >= entry.checkedAt + this.#trustMs) return undefined;
    entry.usedAt = now;
    return entry.caller;
  }

  async authenticate(credential: string): Promise<Caller> {
    const cached = this.findCached(credential);
    if (cached !== undefined) return cached;
    const key = fingerprint(credential);
    if (this.#refused.get(key, this.#now())) throw this.#source.refused();
    return this.#lookups.get(key) ?? this.#startLookup(key, credential);
  }

  hasEnded(credential: string): boolean {
    return this.#ended.get(fingerprint(credential), this.#now()) === true;
  }

  /** Drops the credentials of an id at once. To be called where it is revoked. */
  forget(id: string): void {
    this.#forgotten += 1;
    for (const [credential, { caller }] of this.#entries) {
      if (caller.id === id) this.#end(credential);
    }
  }

  /** Stops the checks. Idempotent. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#entries.clear();
  }

  #startLookup(key: string, credential: string): Promise<Caller> {
    const lookup = this.#lookUp(key, credential).finally(() => this.#lookups.delete(key));
    this.#lookups.set(key, lookup);
    return lookup;
  }

  async #lookUp(key: string, credential: string): Promise<Caller> {
    const forgotten = this.#forgotten;
    const startedAt = this.#now();
    const found = await this.#source.find(credential);
    if (found === undefined) {
      this.#refused.set(key, true, this.#now() + this.#trustMs);
      this.#entries.delete(credential);
      throw this.#source.refused();
    }
    const { caller, remainingMs } = found;
    if (forgotten === this.#forgotten) {
      const expiresAt = startedAt + (remainingMs ?? Number.POSITIVE_INFINITY);
      this.#keep(credential, { caller, expiresAt, checkedAt: startedAt, usedAt: this.#now() });
    }
    return caller;
  }

  #keep(credential: string, entry: Entry): void {
    if (this.#isClosed) return;
    this.#entries.delete(credential);
    if (this.#entries.size >= this.#cacheSize) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(credential, entry);
    // One whose rights were changed is valid again, with others.
    this.#ended.delete(fingerprint(credential));
    this.#scheduleCheck();
  }

  #end(credential: string): void {
    this.#entries.delete(credential);
    this.#ended.set(fingerprint(credential), true, this.#now() + this.#trustMs);
  }

  #scheduleCheck(): void {
    if (this.#timer !== undefined || this.#isChecking) return;
    if (this.#isClosed || this.#entries.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isChecking = true;
      void this.#check()
        .catch(this.#onCheckError)
        .finally(() => {
          this.#isChecking = false;
          this.#scheduleCheck();
        });
    }, this.#checkMs).unref();
  }

  /** Drops what is not used, and what the database no longer knows as usable. */
  async #check(): Promise<void> {
    const startedAt = this.#now();
    const asked: [string, Entry][] = [];
    for (const [credential, entry] of this.#entries) {
      const isIdle = entry.usedAt + this.#idleMs <= startedAt;
      if (isIdle || entry.expiresAt <= startedAt) this.#entries.delete(credential);
      else asked.push([credential, entry]);
    }
    if (asked.length === 0) return;
    const usable = new Set(await this.#source.findUsable(asked.map(([, { caller }]) => caller)));
    for (const [credential, entry] of asked) {
      if (usable.has(entry.caller.id)) entry.checkedAt = startedAt;
      // One that was looked up again meanwhile is newer than the answer.
      else if (this.#entries.get(credential) === entry) this.#end(credential);
    }
  }
}

/** Returns the name of a credential that is looked up or refused: guesses are not kept in memory. */
function fingerprint(credential: string): string {
  return hash('sha256', credential, 'base64');
}

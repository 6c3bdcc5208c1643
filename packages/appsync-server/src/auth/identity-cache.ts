import { hash } from 'node:crypto';
import { ExpiringCache } from '@posthaste/contracts';
import type { Identity } from './authorizer.js';

/**
 * Identities by credential, a limited number, so that one credential has one object. Runs one check
 * for a credential that comes many times at once.
 */
export class IdentityCache {
  readonly #known: ExpiringCache<Identity>;
  readonly #running = new Map<string, Promise<Identity>>();
  readonly #now: () => number;

  /** @param now returns the time in ms since 1970 */
  constructor(capacity: number, now: () => number) {
    this.#known = new ExpiringCache(capacity);
    this.#now = now;
  }

  /** Finds an identity that has not expired. */
  find(credential: string): Identity | undefined {
    return this.#known.get(fingerprint(credential), this.#now());
  }

  /**
   * Returns the identity of a credential: the known one, or what `check` finds.
   * @param maxMs longest time for which the answer is kept
   */
  resolve(
    credential: string,
    check: () => Promise<Identity>,
    maxMs: number,
  ): Identity | Promise<Identity> {
    const key = fingerprint(credential);
    const known = this.#known.get(key, this.#now());
    if (known !== undefined) return known;
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const checking = check()
      .then((identity) => {
        const until = this.#now() + maxMs;
        this.#known.set(key, identity, Math.min(until, identity.expiresAt ?? until));
        return identity;
      })
      .finally(() => this.#running.delete(key));
    this.#running.set(key, checking);
    return checking;
  }
}

/** Returns the name of a credential in memory, which does not disclose it. */
export function fingerprint(credential: string): string {
  return hash('sha256', credential, 'base64');
}

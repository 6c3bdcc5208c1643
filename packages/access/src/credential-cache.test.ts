import { PlatformError } from '@posthaste/contracts';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Caller, localCaller } from './caller.js';
import {
  CredentialCache,
  type CredentialCacheOptions,
  type CredentialSource,
} from './credential-cache.js';

/** Table of credentials whose id is their text, which can be away. */
class Table implements CredentialSource {
  readonly usable = new Set<string>();
  isAway = false;
  lookups = 0;
  /** Callers of each check, by their ids. */
  readonly checks: string[][] = [];

  async find(credential: string) {
    this.lookups += 1;
    this.#requireDatabase();
    const caller: Caller = { ...localCaller, kind: 'key', id: credential };
    return this.usable.has(credential) ? { caller, remainingMs: null } : undefined;
  }

  async findUsable(callers: readonly Caller[]): Promise<string[]> {
    const ids = callers.map(({ id }) => id);
    this.checks.push(ids);
    this.#requireDatabase();
    return ids.filter((id) => this.usable.has(id));
  }

  refused(): PlatformError {
    return new PlatformError('KEY_INVALID', 'refused');
  }

  #requireDatabase(): void {
    if (this.isAway) throw new PlatformError('DATABASE_UNAVAILABLE', 'away');
  }
}

function createCache(options: CredentialCacheOptions = {}) {
  const table = new Table();
  const cache = new CredentialCache(table, { checkMs: 5, ...options });
  onTestFinished(() => cache.close());
  return { table, cache };
}

describe('credentials in memory', () => {
  it('are checked all in one call, and no request asks the database', async () => {
    const { table, cache } = createCache();
    for (const id of ['a', 'b', 'c']) {
      table.usable.add(id);
      await cache.authenticate(id);
    }
    await expect.poll(() => table.checks.length).toBeGreaterThan(3);
    expect(table.checks.at(-1)).toEqual(['a', 'b', 'c']);
    expect(await cache.authenticate('b')).toMatchObject({ id: 'b' });
    expect(table.lookups).toBe(3);
  });

  it('are refused after the check that finds them revoked', async () => {
    const { table, cache } = createCache();
    table.usable.add('a').add('b');
    await cache.authenticate('a');
    await cache.authenticate('b');
    table.usable.delete('a');
    await expect.poll(() => cache.findCached('a')).toBeUndefined();
    await expect(cache.authenticate('a')).rejects.toMatchObject({ code: 'KEY_INVALID' });
    expect(cache.findCached('b')).toBeDefined();
  });

  it('have ended when they are revoked, and not when they are only not in memory', async () => {
    let now = 0;
    const { table, cache } = createCache({ now: () => now, cacheSize: 2 });
    for (const id of ['a', 'b', 'c']) table.usable.add(id);
    await cache.authenticate('a');
    await cache.authenticate('b');
    expect(cache.hasEnded('a')).toBe(false);
    cache.forget('a');
    expect(cache.hasEnded('a')).toBe(true);
    table.usable.delete('b');
    await expect.poll(() => cache.hasEnded('b')).toBe(true);
    // Another one that was changed is looked up again.
    await cache.authenticate('a');
    expect(cache.hasEnded('a')).toBe(false);
    // Pushed out, and unknown.
    table.usable.add('d');
    await cache.authenticate('c');
    await cache.authenticate('d');
    expect(cache.findCached('a')).toBeUndefined();
    expect([cache.hasEnded('a'), cache.hasEnded('x')]).toEqual([false, false]);
    now = 10_000;
    expect(cache.hasEnded('b')).toBe(false);
  });

  it('are trusted for ten seconds after the last check while the database is away', async () => {
    let now = 0;
    const errors: unknown[] = [];
    const { table, cache } = createCache({
      now: () => now,
      onCheckError: (error) => errors.push(error),
    });
    table.usable.add('a');
    await cache.authenticate('a');
    table.isAway = true;
    await expect.poll(() => errors.length).toBeGreaterThan(1);
    now = 9_999;
    expect(cache.findCached('a')).toMatchObject({ id: 'a' });
    now = 10_000;
    expect(cache.findCached('a')).toBeUndefined();
    await expect(cache.authenticate('a')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    table.isAway = false;
    expect(await cache.authenticate('a')).toMatchObject({ id: 'a' });
  });

  it('are dropped when they are not used, and then no longer checked', async () => {
    let now = 0;
    const { table, cache } = createCache({ now: () => now });
    table.usable.add('a').add('b');
    await cache.authenticate('a');
    await cache.authenticate('b');
    now = 6_000;
    cache.findCached('b');
    await expect.poll(() => table.checks.length).toBeGreaterThan(1);
    now = 10_000;
    await expect.poll(() => table.checks.at(-1)).toEqual(['b']);
    now = 16_000;
    table.usable.add('c');
    await cache.authenticate('c');
    await expect.poll(() => table.checks.at(-1)).toEqual(['c']);
    expect(cache.findCached('b')).toBeUndefined();
    expect(table.lookups).toBe(3);
  });

  it('are not kept when they were revoked during the lookup', async () => {
    const { table, cache } = createCache();
    table.usable.add('a');
    const lookup = cache.authenticate('a');
    cache.forget('a');
    await lookup;
    expect(cache.findCached('a')).toBeUndefined();
  });

  it('are limited in number: the oldest goes', async () => {
    const { table, cache } = createCache({ cacheSize: 2 });
    for (const id of ['a', 'b', 'c']) {
      table.usable.add(id);
      await cache.authenticate(id);
    }
    expect(['a', 'b', 'c'].map((id) => cache.findCached(id)?.id)).toEqual([undefined, 'b', 'c']);
  });
});

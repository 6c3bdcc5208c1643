import { newId } from '@posthaste/contracts';
import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessMigrations } from '../migrations.js';
import { ApiKeys, type ApiKeysOptions } from './api-keys.js';
import { newSecret, toToken } from './api-token.js';

const writer = { name: 'writer', scopes: ['callbacks:write', 'queues:read'] } as const;

/** Runs the same tests on both engines. */
function keysOn(open: () => Promise<{ db: Database; drop: () => Promise<void> }>): void {
  let db: Database;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    ({ db, drop } = await open());
    await migrate(db, [accessMigrations]);
  });

  afterAll(async () => {
    await db.close();
    await drop();
  });

  const createApiKeys = (options: ApiKeysOptions = {}): ApiKeys => new ApiKeys(db, options);

  it('are recognised by their token', async () => {
    const { key, token } = await createApiKeys().createKey(writer);
    expect(await createApiKeys().authenticate(token)).toEqual({
      kind: 'key',
      id: key.id,
      ...writer,
      applications: 'all',
      expiresAt: null,
    });
  });

  it('are stored without their secret', async () => {
    const { token } = await createApiKeys().createKey(writer);
    const secret = token.slice(-43);
    const { rows } = await db.query<{ row: string }>(
      `select row_to_json(k)::text as row from gateway.api_key k`,
    );
    const stored = rows.map(({ row }) => row).join();
    expect(stored).not.toContain(secret);
    expect(stored).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
  });

  it('are refused with a wrong secret, when unknown, and when malformed', async () => {
    const keys = createApiKeys();
    const { key } = await keys.createKey(writer);
    const wrong = toToken({ id: key.id, secret: newSecret() });
    const unknown = toToken({ id: newId(), secret: newSecret() });
    for (const token of [wrong, unknown, 'phk_', '', "'; drop schema gateway; --"]) {
      await expect(keys.authenticate(token)).rejects.toMatchObject({ code: 'KEY_INVALID' });
    }
  });

  it('are refused at once where they were revoked, and elsewhere after the next check', async () => {
    const here = createApiKeys();
    const elsewhere = createApiKeys({ checkMs: 20 });
    const { key, token } = await here.createKey(writer);
    await here.authenticate(token);
    await elsewhere.authenticate(token);
    const revoked = await here.revokeKey(key.id, 'all');
    expect(revoked.revokedAt).toBeInstanceOf(Date);
    expect(here.findCached(token)).toBeUndefined();
    await expect(here.authenticate(token)).rejects.toMatchObject({ code: 'KEY_INVALID' });
    await expect.poll(() => elsewhere.findCached(token)).toBeUndefined();
    await expect(elsewhere.authenticate(token)).rejects.toMatchObject({ code: 'KEY_INVALID' });
    await elsewhere.close();
  });

  it('are looked up again when their applications have changed', async () => {
    const keys = createApiKeys({ checkMs: 20 });
    const { key, token } = await keys.createKey({ ...writer, applications: ['a', 'b'] });
    const before = await keys.authenticate(token);
    await db.query(`update gateway.api_key set applications = array_remove(applications, 'a')
      where id = '${key.id}'`);
    await expect.poll(() => keys.findCached(token)).toBeUndefined();
    expect(before.applications).toEqual(['a', 'b']);
    expect(await keys.authenticate(token)).toMatchObject({ applications: ['b'] });
    await keys.close();
  });

  it('keep the time of their first revocation', async () => {
    const keys = createApiKeys();
    const { key } = await keys.createKey(writer);
    const first = await keys.revokeKey(key.id, 'all');
    expect(await keys.revokeKey(key.id, 'all')).toEqual(first);
  });

  it('that do not exist cannot be revoked', async () => {
    for (const id of [newId(), 'nonsense']) {
      await expect(createApiKeys().revokeKey(id, 'all')).rejects.toMatchObject({
        code: 'KEY_NOT_FOUND',
      });
    }
  });

  it('expire by the clock of the database, even if they are cached', async () => {
    let now = 0;
    const keys = createApiKeys({ now: () => now });
    const gone = await keys.createKey({ ...writer, expiresAt: new Date(Date.now() - 1_000) });
    await expect(keys.authenticate(gone.token)).rejects.toMatchObject({ code: 'KEY_INVALID' });
    const soon = await keys.createKey({ ...writer, expiresAt: new Date(Date.now() + 5_000) });
    await keys.authenticate(soon.token);
    expect(keys.findCached(soon.token)).toBeDefined();
    now = 5_000;
    expect(keys.findCached(soon.token)).toBeUndefined();
  });

  it('are looked up once for a burst, and invalid ones once for all', async () => {
    const counting = countStatements(db);
    const keys = new ApiKeys(counting.db);
    const { token } = await createApiKeys().createKey(writer);
    await Promise.all(Array.from({ length: 20 }, () => keys.authenticate(token)));
    expect(counting.count()).toBe(1);
    const unknown = toToken({ id: newId(), secret: newSecret() });
    for (let i = 0; i < 3; i += 1) await keys.authenticate(unknown).catch(() => undefined);
    await keys.authenticate('nonsense').catch(() => undefined);
    expect(counting.count()).toBe(2);
  });

  it('have the time of their last use written at intervals', async () => {
    const keys = createApiKeys({ lastUsedIntervalMs: 20 });
    const { key, token } = await keys.createKey(writer);
    expect(key.lastUsedAt).toBeNull();
    await keys.authenticate(token);
    const lastUsed = async () => (await keys.listKeys('all', { limit: 1 }))[0]?.lastUsedAt;
    await expect.poll(lastUsed).toBeInstanceOf(Date);
  });

  it('have the time of their last use written on close', async () => {
    const keys = createApiKeys();
    const { token } = await keys.createKey(writer);
    await keys.authenticate(token);
    await keys.close();
    await keys.close();
    expect((await keys.listKeys('all', { limit: 1 }))[0]?.lastUsedAt).toBeInstanceOf(Date);
  });

  it('of other applications do not exist for a caller of some', async () => {
    const keys = createApiKeys();
    const create = async (applications: readonly string[] | 'all') =>
      (await keys.createKey({ ...writer, applications })).key.id;
    const own = [await create(['a']), await create(['b', 'a'])];
    const foreign = [await create(['c']), await create(['a', 'c']), await create('all')];
    const seen = (await keys.listKeys(['a', 'b'], { limit: 1_000 })).map(({ id }) => id);
    expect(seen).toEqual(expect.arrayContaining(own));
    for (const id of foreign) {
      expect(seen).not.toContain(id);
      await expect(keys.revokeKey(id, ['a', 'b'])).rejects.toMatchObject({
        code: 'KEY_NOT_FOUND',
        message: `there is no API key with the id '${id}'`,
      });
    }
    for (const id of own) expect(await keys.revokeKey(id, ['a', 'b'])).toMatchObject({ id });
  });

  it('are listed newest first, page by page', async () => {
    const keys = createApiKeys();
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) ids.unshift((await keys.createKey(writer)).key.id);
    const first = await keys.listKeys('all', { limit: 2 });
    const second = await keys.listKeys('all', { limit: 1, before: first[1]?.id });
    expect([...first, ...second].map((key) => key.id)).toEqual(ids);
  });
}

/** The same database, with its statements counted. */
function countStatements(db: Database): { db: Database; count(): number } {
  let count = 0;
  const query: Database['query'] = (statement, values) => {
    count += 1;
    return db.query(statement, values);
  };
  const counting = new Proxy(db, {
    get: (target, name, receiver) =>
      name === 'query' ? query : Reflect.get(target, name, receiver),
  });
  return { db: counting, count: () => count };
}

describe('API keys on the embedded database', () => {
  keysOn(async () => ({ db: await openEmbedded(), drop: async () => undefined }));
});

describeWithPostgres('API keys on Postgres', () => {
  keysOn(async () => {
    const { url, drop } = await createTestDatabase();
    return { db: await openPostgres({ url }), drop };
  });
});

describe('API keys without a database', () => {
  it('fail with DATABASE_UNAVAILABLE, and are not cached as invalid', async () => {
    const db = await openPostgres({ url: 'postgres://nobody@127.0.0.1:1/none' });
    const failures: unknown[] = [];
    const keys = new ApiKeys(db, { onLastUsedError: (error) => failures.push(error) });
    const token = toToken({ id: newId(), secret: newSecret() });
    for (let i = 0; i < 2; i += 1) {
      await expect(keys.authenticate(token)).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
      });
    }
    await keys.close();
    await db.close();
    expect(failures).toEqual([]);
  });
});

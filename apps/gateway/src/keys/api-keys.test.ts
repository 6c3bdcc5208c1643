import { newId } from '@posthaste/contracts';
import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewayMigrations } from '../migrations.js';
import { ApiKeys, type ApiKeysOptions } from './api-keys.js';
import { newSecret, toToken } from './api-token.js';

const writer = { name: 'writer', scopes: ['callbacks:write', 'queues:read'] } as const;

/** The same expectations of both engines. */
function keysOn(open: () => Promise<{ db: Database; drop: () => Promise<void> }>): void {
  let db: Database;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    ({ db, drop } = await open());
    await migrate(db, [gatewayMigrations]);
  });

  afterAll(async () => {
    await db.close();
    await drop();
  });

  const open2 = (options: ApiKeysOptions = {}): ApiKeys => new ApiKeys(db, options);

  it('are shown once and known again by their token', async () => {
    const { key, token } = await open2().createKey(writer);
    expect(await open2().authenticate(token)).toEqual({ id: key.id, ...writer });
  });

  it('are stored without what would let anybody use them', async () => {
    const { token } = await open2().createKey(writer);
    const secret = token.slice(-43);
    const { rows } = await db.query<{ row: string }>(
      `select row_to_json(k)::text as row from gateway.api_key k`,
    );
    const stored = rows.map(({ row }) => row).join();
    expect(stored).not.toContain(secret);
    expect(stored).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
  });

  it('are refused with another secret, when unknown, and when not of their form', async () => {
    const keys = open2();
    const { key } = await keys.createKey(writer);
    const wrong = toToken({ id: key.id, secret: newSecret() });
    const unknown = toToken({ id: newId(), secret: newSecret() });
    for (const token of [wrong, unknown, 'phk_', '', "'; drop schema gateway; --"]) {
      await expect(keys.authenticate(token)).rejects.toMatchObject({ code: 'KEY_INVALID' });
    }
  });

  it('are refused at once where they were revoked, and elsewhere once the cache is over', async () => {
    let now = 0;
    const here = open2();
    const elsewhere = open2({ now: () => now, cacheMs: 1_000 });
    const { key, token } = await here.createKey(writer);
    await here.authenticate(token);
    await elsewhere.authenticate(token);
    const revoked = await here.revokeKey(key.id);
    expect(revoked.revokedAt).toBeInstanceOf(Date);
    expect(here.findCached(token)).toBeUndefined();
    await expect(here.authenticate(token)).rejects.toMatchObject({ code: 'KEY_INVALID' });
    expect(await elsewhere.authenticate(token)).toMatchObject({ id: key.id });
    now = 1_000;
    await expect(elsewhere.authenticate(token)).rejects.toMatchObject({ code: 'KEY_INVALID' });
  });

  it('keep the moment when they were revoked first', async () => {
    const keys = open2();
    const { key } = await keys.createKey(writer);
    const first = await keys.revokeKey(key.id);
    expect(await keys.revokeKey(key.id)).toEqual(first);
  });

  it('that do not exist cannot be revoked', async () => {
    for (const id of [newId(), 'nonsense']) {
      await expect(open2().revokeKey(id)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    }
  });

  it('expire by the clock of the database, whatever is remembered', async () => {
    let now = 0;
    const keys = open2({ now: () => now });
    const gone = await keys.createKey({ ...writer, expiresAt: new Date(Date.now() - 1_000) });
    await expect(keys.authenticate(gone.token)).rejects.toMatchObject({ code: 'KEY_INVALID' });
    const soon = await keys.createKey({ ...writer, expiresAt: new Date(Date.now() + 5_000) });
    await keys.authenticate(soon.token);
    expect(keys.findCached(soon.token)).toBeDefined();
    now = 5_000;
    expect(keys.findCached(soon.token)).toBeUndefined();
  });

  it('are looked up once for a burst, and not again for bad ones', async () => {
    const counting = countStatements(db);
    const keys = new ApiKeys(counting.db);
    const { token } = await open2().createKey(writer);
    await Promise.all(Array.from({ length: 20 }, () => keys.authenticate(token)));
    expect(counting.count()).toBe(1);
    const unknown = toToken({ id: newId(), secret: newSecret() });
    for (let i = 0; i < 3; i += 1) await keys.authenticate(unknown).catch(() => undefined);
    await keys.authenticate('nonsense').catch(() => undefined);
    expect(counting.count()).toBe(2);
  });

  it('tell when they were used last, written now and then', async () => {
    const keys = open2({ lastUsedIntervalMs: 20 });
    const { key, token } = await keys.createKey(writer);
    expect(key.lastUsedAt).toBeNull();
    await keys.authenticate(token);
    const lastUsed = async () => (await keys.listKeys({ limit: 1 }))[0]?.lastUsedAt;
    await expect.poll(lastUsed).toBeInstanceOf(Date);
  });

  it('have their last use written at the end, also when that comes early', async () => {
    const keys = open2();
    const { token } = await keys.createKey(writer);
    await keys.authenticate(token);
    await keys.close();
    await keys.close();
    expect((await keys.listKeys({ limit: 1 }))[0]?.lastUsedAt).toBeInstanceOf(Date);
  });

  it('are listed newest first, page by page', async () => {
    const keys = open2();
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) ids.unshift((await keys.createKey(writer)).key.id);
    const first = await keys.listKeys({ limit: 2 });
    const second = await keys.listKeys({ limit: 1, before: first[1]?.id });
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
  it('cannot be judged, which is not the same as wrong', async () => {
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

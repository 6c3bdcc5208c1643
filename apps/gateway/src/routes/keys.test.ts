import { type Database, migrate, openEmbedded } from '@posthaste/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
import { ApiKeys } from '../keys/api-keys.js';
import { gatewayMigrations } from '../migrations.js';

describe('/v1/keys', () => {
  let db: Database;
  let app: App;
  let admin: string;

  beforeAll(async () => {
    db = await openEmbedded();
    await migrate(db, [gatewayMigrations]);
    const keys = new ApiKeys(db);
    admin = (await keys.createKey({ name: 'admin', scopes: ['admin'] })).token;
    ({ app } = await testServer({ POSTHASTE_ACCESS: 'keys' }, { keys }));
  });

  afterAll(async () => {
    await app.close();
    await db.close();
  });

  function ask(method: 'GET' | 'POST' | 'DELETE', url: string, token: string, payload?: object) {
    const headers = { authorization: `Bearer ${token}` };
    return app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
  }

  it('creates a key that works, and shows its token only then', async () => {
    const created = await ask('POST', '/v1/keys', admin, {
      name: 'metrics',
      scopes: ['metrics:read'],
      expiresAt: '2999-01-01T00:00:00Z',
    });
    expect(created.statusCode).toBe(201);
    const { token, ...view } = created.json<{ token: string; id: string }>();
    expect(view).toMatchObject({
      name: 'metrics',
      scopes: ['metrics:read'],
      expiresAt: '2999-01-01T00:00:00.000Z',
      revokedAt: null,
      lastUsedAt: null,
    });
    expect((await ask('GET', '/metrics', token)).statusCode).toBe(200);
    expect((await ask('GET', '/v1/keys', token)).statusCode).toBe(403);
    const listed = await ask('GET', '/v1/keys?limit=1', admin);
    expect(listed.json()).toMatchObject({ keys: [view], next: view.id });
    expect(listed.body).not.toContain(token);
  });

  it('revokes a key', async () => {
    const created = await ask('POST', '/v1/keys', admin, { name: 'x', scopes: ['admin'] });
    const { token, id } = created.json<{ token: string; id: string }>();
    const revoked = await ask('DELETE', `/v1/keys/${id}`, admin);
    expect(revoked.json()).toMatchObject({ id, revokedAt: expect.any(String) });
    expect((await ask('GET', '/v1/keys', token)).statusCode).toBe(401);
  });

  it('knows when there is no such key', async () => {
    const answer = await ask('DELETE', '/v1/keys/nonsense', admin);
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({ code: 'KEY_NOT_FOUND' });
  });

  it.each([
    [{ scopes: ['admin'] }, 'name'],
    [{ name: '', scopes: ['admin'] }, 'name'],
    [{ name: 'x', scopes: [] }, 'scopes'],
    [{ name: 'x', scopes: ['root'] }, 'scopes.0'],
    [{ name: 'x', scopes: 'admin' }, 'scopes'],
    [{ name: 'x', scopes: ['admin'], expiresAt: 'tomorrow' }, 'expiresAt'],
    [{ name: 'x', scopes: ['admin'], expiresAt: '9999-12-31T23:59:60Z' }, 'expiresAt'],
    [{ name: 'x', scopes: ['admin'], expiresAt: '0000-01-01T00:00:00Z' }, 'expiresAt'],
    [{ name: 'a\0b', scopes: ['admin'] }, 'name'],
  ])('refuses %j, for its %s', async (payload, field) => {
    const answer = await ask('POST', '/v1/keys', admin, payload);
    expect(answer.statusCode).toBe(422);
    expect(answer.json<{ details: unknown[] }>().details[0]).toMatchObject({ field });
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'before=x'])('refuses ?%s', async (query) => {
    expect((await ask('GET', `/v1/keys?${query}`, admin)).statusCode).toBe(422);
  });
});

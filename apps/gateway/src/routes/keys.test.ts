import { ApiKeys, accessMigrations } from '@posthaste/access';
import { type Database, migrate, openEmbedded } from '@posthaste/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Call, createCaller } from '../../test/caller.js';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

describe('/v1/keys', () => {
  let db: Database;
  let app: App;
  let asAdmin: Call;

  beforeAll(async () => {
    db = await openEmbedded();
    await migrate(db, [accessMigrations]);
    const keys = new ApiKeys(db);
    const { token } = await keys.createKey({ name: 'admin', scopes: ['admin'] });
    ({ app } = await testServer({ POSTHASTE_ACCESS: 'keys' }, { keys }));
    asAdmin = withKey(token);
  });

  afterAll(async () => {
    await app.close();
    await db.close();
  });

  function withKey(token: string): Call {
    return createCaller(app, { authorization: `Bearer ${token}` });
  }

  it('creates a key that works, and shows its token only then', async () => {
    const created = await asAdmin<{ token: string; id: string }>('POST', '/v1/keys', {
      name: 'metrics',
      scopes: ['metrics:read'],
      expiresAt: '2999-01-01T00:00:00Z',
    });
    expect(created.status).toBe(201);
    const { token, ...view } = created.json;
    expect(view).toMatchObject({
      name: 'metrics',
      scopes: ['metrics:read'],
      expiresAt: '2999-01-01T00:00:00.000Z',
      revokedAt: null,
      lastUsedAt: null,
    });
    const headers = { authorization: `Bearer ${token}` };
    expect((await app.inject({ url: '/metrics', headers })).statusCode).toBe(200);
    expect((await withKey(token)('GET', '/v1/keys')).status).toBe(403);
    const listed = await asAdmin('GET', '/v1/keys?limit=1');
    expect(listed.json).toMatchObject({ keys: [view], next: view.id });
    expect(listed.body).not.toContain(token);
  });

  it('revokes a key', async () => {
    const body = { name: 'x', scopes: ['admin'] };
    const created = await asAdmin<{ token: string; id: string }>('POST', '/v1/keys', body);
    const { token, id } = created.json;
    const revoked = await asAdmin('DELETE', `/v1/keys/${id}`);
    expect(revoked.json).toMatchObject({ id, revokedAt: expect.any(String) });
    expect((await withKey(token)('GET', '/v1/keys')).status).toBe(401);
  });

  it('answers 404 for unknown keys', async () => {
    const answer = await asAdmin('DELETE', '/v1/keys/nonsense');
    expect(answer.status).toBe(404);
    expect(answer.json).toMatchObject({ code: 'KEY_NOT_FOUND' });
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
  ])('refuses %j because of its %s', async (body, field) => {
    const answer = await asAdmin<{ details: unknown[] }>('POST', '/v1/keys', body);
    expect(answer.status).toBe(422);
    expect(answer.json.details[0]).toMatchObject({ field });
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'before=x'])('refuses ?%s', async (query) => {
    expect((await asAdmin('GET', `/v1/keys?${query}`)).status).toBe(422);
  });
});

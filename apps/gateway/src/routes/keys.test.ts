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
      applications: null,
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

  describe('of one application', () => {
    let asShop: Call;
    const create = (call: Call, body: object) =>
      call<{ token: string; id: string; applications: string[] | null; code: string }>(
        'POST',
        '/v1/keys',
        { name: 'key', scopes: ['admin'], ...body },
      );

    beforeAll(async () => {
      const { json } = await create(asAdmin, { applications: ['shop'] });
      expect(json.applications).toEqual(['shop']);
      asShop = withKey(json.token);
    });

    it('creates keys of its own application, asked for or not', async () => {
      for (const body of [{}, { applications: null }, { applications: ['shop'] }]) {
        const { status, json } = await create(asShop, body);
        expect([status, json.applications]).toEqual([201, ['shop']]);
      }
    });

    it('creates none that may do more than itself', async () => {
      for (const applications of [['bank'], ['shop', 'bank'], [''], ['Shop'], ['new']]) {
        const { status, json } = await create(asShop, { applications });
        expect([status, json.code]).toEqual([403, 'APPLICATION_FORBIDDEN']);
      }
      const expiresAt = '2999-01-01T00:00:00Z';
      const temporary = await create(asShop, { expiresAt });
      const asTemporary = withKey(temporary.json.token);
      expect((await create(asTemporary, {})).json).toMatchObject({
        expiresAt: '2999-01-01T00:00:00.000Z',
      });
      for (const later of [null, '2999-01-01T00:00:01Z']) {
        const { status, json } = await create(asTemporary, { expiresAt: later });
        expect([status, json.code]).toEqual([403, 'KEY_EXCEEDS_CREATOR']);
      }
    });

    it('sees and revokes the keys of its own application only', async () => {
      const foreign = [
        await create(asAdmin, { applications: ['bank'] }),
        await create(asAdmin, { applications: ['shop', 'bank'] }),
        await create(asAdmin, {}),
      ].map(({ json }) => json.id);
      const own = (await create(asAdmin, { applications: ['shop'] })).json.id;
      const { json } = await asShop<{ keys: { id: string; applications: string[] }[] }>(
        'GET',
        '/v1/keys',
      );
      expect(json.keys.map(({ id }) => id)).toContain(own);
      for (const { applications } of json.keys) expect(applications).toEqual(['shop']);
      for (const id of foreign) {
        const answer = await asShop('DELETE', `/v1/keys/${id}`);
        expect(answer.json).toMatchObject({ code: 'KEY_NOT_FOUND' });
        expect((await asAdmin('DELETE', `/v1/keys/${id}`)).json).toMatchObject({ id });
      }
      expect((await asShop('DELETE', `/v1/keys/${own}`)).json).toMatchObject({ id: own });
    });
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
    [{ name: 'x', scopes: ['admin'], applications: [] }, 'applications'],
    [{ name: 'x', scopes: ['admin'], applications: 'shop' }, 'applications'],
    [{ name: 'x', scopes: ['admin'], applications: ['a', 'a'] }, 'applications'],
    [{ name: 'x', scopes: ['admin'], applications: ['a\0'] }, 'applications.0'],
    [{ name: 'x', scopes: ['admin'], applications: ['x'.repeat(257)] }, 'applications.0'],
  ])('refuses %j because of its %s', async (body, field) => {
    const answer = await asAdmin<{ details: unknown[] }>('POST', '/v1/keys', body);
    expect(answer.status).toBe(422);
    expect(answer.json.details[0]).toMatchObject({ field });
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'before=x'])('refuses ?%s', async (query) => {
    expect((await asAdmin('GET', `/v1/keys?${query}`)).status).toBe(422);
  });
});

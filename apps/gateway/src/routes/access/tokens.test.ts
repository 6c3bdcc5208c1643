import { listAuditEntries } from '@posthaste/access';
import { newId } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createPeopleDatabase,
  openTestPeople,
  type TestPeople,
} from '../../../test/test-people.js';

const portal = { name: 'portal', applications: ['shop'], scopes: ['callbacks:read'] };

let db: Database;
let platform: TestPeople;

beforeAll(async () => {
  db = await createPeopleDatabase();
  platform = await openTestPeople(db);
});

afterAll(async () => {
  await platform.close();
  await db.close();
});

function send(
  token: string,
  url: string,
  options: { method?: 'POST' | 'DELETE'; body?: object } = {},
) {
  const { method = options.body ? 'POST' : 'GET', body } = options;
  return platform.app.inject({
    ...{ method, url, headers: { authorization: `Bearer ${token}` } },
    ...(body ? { payload: body } : {}),
  });
}

describe('/v1/tokens', () => {
  it('makes a token that may do what it names', async () => {
    const { token } = await platform.createKey();
    const before = Date.now();
    const made = await send(token, '/v1/tokens', { body: portal });
    expect(made.statusCode).toBe(201);
    const { expiresAt, ...created } = made.json();
    expect(created).toMatchObject({ ...portal, id: expect.any(String) });
    expect(Math.abs(Date.parse(expiresAt) - before - 3_600_000)).toBeLessThan(60_000);
    expect((await send(created.token, '/v1/things')).json()).toEqual({ applications: ['shop'] });
    expect((await send(created.token, '/v1/things?application=pay')).statusCode).toBe(403);
    expect((await send(created.token, '/v1/things', { body: {} })).json()).toMatchObject({
      code: 'SCOPE_MISSING',
    });
    expect((await send(created.token, '/v1/sessions/current')).json()).toMatchObject({
      ...{ kind: 'token', name: 'portal', session: null, expiresAt },
    });
  });

  it('gives the application of the key to a token that names none', async () => {
    const body = { name: 'portal', scopes: ['callbacks:read'] };
    const applicationsOf = async (applications: readonly string[] | 'all') => {
      const { token } = await platform.createKey({ applications });
      const answer = (await send(token, '/v1/tokens', { body })).json();
      return answer.applications ?? answer.code;
    };
    expect(await applicationsOf(['shop'])).toEqual(['shop']);
    expect(await applicationsOf('all')).toEqual(['']);
    expect(await applicationsOf(['shop', 'pay'])).toBe('APPLICATION_REQUIRED');
  });

  it('gives no more than the key has', async () => {
    const { token } = await platform.createKey({
      ...{ scopes: ['callbacks:read'], applications: ['shop'] },
    });
    const make = async (changes: object) =>
      (await send(token, '/v1/tokens', { body: { ...portal, ...changes } })).json();
    expect(await make({ scopes: ['callbacks:write'] })).toMatchObject({ code: 'SCOPE_MISSING' });
    expect(await make({ scopes: ['admin'] })).toMatchObject({ code: 'SCOPE_MISSING' });
    expect(await make({ applications: ['pay'] })).toMatchObject({ code: 'APPLICATION_FORBIDDEN' });
    expect(await make({ applications: ['shop', 'pay'] })).toMatchObject({
      code: 'APPLICATION_FORBIDDEN',
    });
  });

  it.each([
    { expiresInSeconds: 0 },
    { expiresInSeconds: 86_401 },
    { expiresInSeconds: 1.5 },
    { scopes: [] },
    { scopes: ['moon:read'] },
    { applications: [] },
    { applications: ['a\u0000b'] },
    { applications: 'all' },
    { name: '' },
    { more: 1 },
  ])('refuses %j', async (changes) => {
    const { token } = await platform.createKey();
    const answer = await send(token, '/v1/tokens', { body: { ...portal, ...changes } });
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('makes no token for a token', async () => {
    const { token } = await platform.createKey();
    const made = (await send(token, '/v1/tokens', { body: portal })).json();
    expect((await send(made.token, '/v1/tokens', { body: portal })).json()).toMatchObject({
      code: 'TOKEN_PARENT_INVALID',
    });
  });

  it('ends tokens with their key, and one by one', async () => {
    const { key, token } = await platform.createKey();
    const [first, second] = [
      (await send(token, '/v1/tokens', { body: portal })).json(),
      (await send(token, '/v1/tokens', { body: portal })).json(),
    ];
    const statusOf = async (made: { token: string }) =>
      (await send(made.token, '/v1/things')).statusCode;
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200]);
    const revoked = await send(token, `/v1/tokens/${first.id}`, { method: 'DELETE' });
    expect(revoked.statusCode).toBe(204);
    expect([await statusOf(first), await statusOf(second)]).toEqual([401, 200]);
    await platform.keys.revokeKey(key.id, 'all');
    await expect.poll(() => statusOf(second)).toBe(401);
    expect((await send(second.token, '/v1/things')).json()).toMatchObject({
      code: 'TOKEN_INVALID',
    });
  });

  it('is recorded in the audit log when it is made and when it is revoked, without its text', async () => {
    const { token, key } = await platform.createKey();
    const made = (await send(token, '/v1/tokens', { body: portal })).json();
    const target = `/v1/tokens/${made.id}`;
    for (let i = 0; i < 2; i += 1) await send(token, target, { method: 'DELETE' });
    const { items } = await listAuditEntries(db, { within: 'all', target: made.id, limit: 10 });
    const { applications, scopes, expiresAt } = made;
    const actor = { kind: 'key', id: key.id };
    expect(items).toMatchObject([
      { action: 'token.revoked', actor, before: { revoked: false }, after: { revoked: true } },
      {
        action: 'token.created',
        actor,
        application: 'shop',
        target: { kind: 'token', id: made.id, name: 'portal' },
        after: { applications, scopes, expiresAt },
      },
    ]);
    expect(items).toHaveLength(2);
    expect(JSON.stringify(items)).not.toContain(made.token);
  });

  it('says nothing of the tokens of others', async () => {
    const { token } = await platform.createKey();
    const other = await platform.createKey();
    const made = (await send(token, '/v1/tokens', { body: portal })).json();
    const theirs = await send(other.token, `/v1/tokens/${made.id}`, { method: 'DELETE' });
    const unknown = await send(other.token, `/v1/tokens/${newId()}`, { method: 'DELETE' });
    expect([theirs.statusCode, theirs.body]).toEqual([unknown.statusCode, unknown.body]);
    expect((await send(made.token, '/v1/things')).statusCode).toBe(200);
  });

  it('counts tokens with the key that made them', async () => {
    const { token } = await platform.createKey();
    const limited = await openTestPeople(db, { POSTHASTE_RATE_LIMIT: '5' });
    const statuses = new Set<number>();
    for (let count = 0; count < 40; count += 1) {
      const made = (await send(token, '/v1/tokens', { body: portal })).json();
      const headers = { authorization: `Bearer ${made.token}` };
      statuses.add((await limited.app.inject({ url: '/v1/things', headers })).statusCode);
    }
    expect(statuses).toContain(429);
    await limited.close();
  });

  it('takes no forged, tampered or other tokens', async () => {
    const { token } = await platform.createKey();
    const made: { token: string } = (await send(token, '/v1/tokens', { body: portal })).json();
    const [head = '', signature = ''] = made.token.split('.');
    const payload = Buffer.from(head.slice(4), 'base64url').toString();
    const grown = Buffer.from(payload.replace('callbacks:read', 'admin')).toString('base64url');
    const forged = [
      `pht_${grown}.${signature}`,
      `${head}.`,
      `${head}.${'A'.repeat(43)}`,
      head,
      'pht_',
      `pht_${'A'.repeat(8_000)}.${signature}`,
    ];
    for (const text of forged) expect((await send(text, '/v1/things')).statusCode).toBe(401);
    expect((await send(made.token, '/v1/things')).statusCode).toBe(200);
  });
});

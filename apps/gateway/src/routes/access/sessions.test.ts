import { newId } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../../../test/browser.js';
import {
  createPeopleDatabase,
  openTestPeople,
  type TestPeople,
} from '../../../test/test-people.js';

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

/** Signs a browser in with a key. */
async function signIn(request: Parameters<TestPeople['createKey']>[0] = {}) {
  const { key, token } = await platform.createKey(request);
  const browser = new Browser(platform.app);
  const headers = { authorization: `Bearer ${token}` };
  const answer = await browser.send('/v1/sessions', { method: 'POST', headers });
  expect(answer.statusCode).toBe(201);
  return { key, token, browser, answer, session: answer.json() };
}

describe('a session with an API key', () => {
  it('has the rights of the key', async () => {
    const { browser, key } = await signIn({ scopes: ['callbacks:read'], applications: ['shop'] });
    const current = await browser.send('/v1/sessions/current');
    expect(current.json()).toMatchObject({
      ...{ kind: 'person', name: 'test', applications: ['shop'], scopes: ['callbacks:read'] },
      rights: [{ applications: ['shop'], scopes: ['callbacks:read'] }],
      session: { issuer: null, subject: key.id, roles: [], revokedAt: null },
    });
    expect((await browser.send('/v1/things')).json()).toEqual({ applications: ['shop'] });
    expect((await browser.send('/v1/things?application=pay')).statusCode).toBe(403);
    const write = await browser.send('/v1/things', { method: 'POST', body: {} });
    expect(write.json()).toMatchObject({ code: 'SCOPE_MISSING' });
  });

  it('is in a cookie that no script reads and no other site sends', async () => {
    const { answer, browser } = await signIn();
    expect(answer.headers['set-cookie']).toMatch(
      /^posthaste-session=phs_[^;]+; Path=\/; HttpOnly; SameSite=Strict; Expires=/,
    );
    expect((await browser.send('/v1/things', { site: 'cross-site' })).statusCode).toBe(401);
  });

  it('is not in the answer, and cannot be sent as a bearer token', async () => {
    const { answer, browser } = await signIn();
    const value = browser.cookies.get('posthaste-session')?.value ?? '';
    expect(answer.body).not.toContain(value);
    const headers = { host: 'localhost', authorization: `Bearer ${value}` };
    const asKey = await platform.app.inject({ url: '/v1/things', headers });
    expect(asKey.statusCode).toBe(401);
  });

  it('ends when its browser signs out, also for who has copied the cookie', async () => {
    const { browser } = await signIn();
    const thief = new Browser(platform.app);
    for (const [name, cookie] of browser.cookies) thief.cookies.set(name, cookie);
    expect((await thief.send('/v1/things')).statusCode).toBe(200);
    const end = await browser.send('/v1/sessions/current', { method: 'DELETE' });
    expect(end.statusCode).toBe(204);
    expect(browser.cookies.size).toBe(0);
    const refused = await thief.send('/v1/things');
    expect(refused.json()).toMatchObject({ code: 'SESSION_INVALID' });
    expect(thief.cookies.size).toBe(0);
  });

  it('is in the audit log, without its token', async () => {
    const { browser, session } = await signIn();
    await browser.send('/v1/sessions/current', { method: 'DELETE' });
    const { rows } = await db.query<{ action: string; actor_kind: string; text: string }>(
      `select action, actor_kind, row_to_json(a)::text as text from gateway.audit a
      where target_id = $1 order by id`,
      [session.id],
    );
    expect(rows.map(({ action, actor_kind: actor }) => `${action} ${actor}`)).toEqual([
      'session.created key',
      'session.revoked person',
    ]);
    expect(rows.map(({ text }) => text).join()).not.toContain('phs_');
  });

  it('ends with the key', async () => {
    const { browser, key } = await signIn();
    expect((await browser.send('/v1/things')).statusCode).toBe(200);
    await platform.keys.revokeKey(key.id, 'all');
    await expect.poll(async () => (await browser.send('/v1/things')).statusCode).toBe(401);
  });

  it('is a new one each time: a cookie that was there before is not taken over', async () => {
    const { key, token } = await platform.createKey();
    const browser = new Browser(platform.app);
    const planted = `phs_${newId().replaceAll('-', '')}_${'A'.repeat(43)}`;
    browser.cookies.set('posthaste-session', { value: planted, sameSite: 'Strict' });
    const headers = { authorization: `Bearer ${token}` };
    await browser.send('/v1/sessions', { method: 'POST', headers });
    expect(browser.cookies.get('posthaste-session')?.value).not.toBe(planted);
    expect((await browser.send('/v1/sessions/current')).json().session.subject).toBe(key.id);
  });

  it('is not made by tokens, sessions, other pages, or without a credential', async () => {
    const { browser, token } = await signIn({ scopes: ['callbacks:read'] });
    const post = (request = {}) => browser.send('/v1/sessions', { method: 'POST', ...request });
    expect((await post()).json()).toMatchObject({ code: 'KEY_MISSING' });
    const body = { name: 'portal', applications: ['shop'], scopes: ['callbacks:read'] };
    const made = await browser.send('/v1/tokens', { method: 'POST', body });
    const asToken = await post({ headers: { authorization: `Bearer ${made.json().token}` } });
    expect(asToken.json()).toMatchObject({ code: 'TOKEN_PARENT_INVALID' });
    const headers = { authorization: `Bearer ${token}` };
    const other = await new Browser(platform.app).send('/v1/sessions', {
      ...{ method: 'POST', site: 'cross-site', headers },
    });
    expect(other.json()).toMatchObject({ code: 'COOKIE_NOT_ALLOWED' });
    expect((await new Browser(platform.app).send('/v1/sessions/current')).statusCode).toBe(401);
  });

  it('is refused where the cookie would travel unprotected', async () => {
    const { token } = await platform.createKey();
    const answer = await platform.app.inject({
      ...{ method: 'POST', url: '/v1/sessions' },
      headers: { host: 'events.example.com', authorization: `Bearer ${token}` },
    });
    expect(answer.json()).toMatchObject({ code: 'SIGN_IN_UNAVAILABLE' });
  });
});

describe('a request with the cookie of a session', () => {
  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling domain', { 'sec-fetch-site': 'same-site' }],
    ['a form of an old browser', { origin: 'https://evil.example' }],
    ['a sandboxed page', { origin: 'null' }],
    ['another port', { origin: 'http://localhost:9999' }],
    ['a contradiction', { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }],
    ['nobody knows whom', {}],
    ['the address bar', { 'sec-fetch-site': 'none' }],
  ] as [string, Record<string, string>][])(
    'changes nothing if it comes from %s',
    async (_, headers) => {
      const { browser } = await signIn();
      const cookie = `posthaste-session=${browser.cookies.get('posthaste-session')?.value}`;
      for (const method of ['POST', 'DELETE'] as const) {
        const answer = await platform.app.inject({
          ...{ method, url: method === 'POST' ? '/v1/things' : '/v1/sessions/current' },
          headers: { host: 'localhost', cookie, ...headers },
        });
        expect(answer.statusCode).toBe(403);
        expect(answer.json()).toMatchObject({ code: 'COOKIE_NOT_ALLOWED' });
      }
      expect((await browser.send('/v1/sessions/current')).statusCode).toBe(200);
    },
  );

  it('changes something if the browser proves that it comes from a page of the platform', async () => {
    const { browser } = await signIn();
    const cookie = `posthaste-session=${browser.cookies.get('posthaste-session')?.value}`;
    for (const headers of [
      { 'sec-fetch-site': 'same-origin' },
      { origin: 'http://localhost' },
    ] as Record<string, string>[]) {
      const answer = await platform.app.inject({
        ...{ method: 'POST', url: '/v1/things' },
        headers: { host: 'localhost', cookie, ...headers },
      });
      expect(answer.statusCode).toBe(200);
    }
  });

  it('reads nothing for pages of sibling domains', async () => {
    const { browser } = await signIn();
    expect((await browser.send('/v1/things', { site: 'same-site' })).statusCode).toBe(403);
    expect((await browser.send('/v1/things', { site: 'none' })).statusCode).toBe(200);
  });

  it('is refused with two cookies of the name', async () => {
    const { browser } = await signIn();
    const value = browser.cookies.get('posthaste-session')?.value;
    const answer = await platform.app.inject({
      url: '/v1/things',
      headers: { host: 'localhost', cookie: `posthaste-session=${value}; posthaste-session=x` },
    });
    expect(answer.statusCode).toBe(401);
  });

  it('is refused with a forged, cut or endless cookie', async () => {
    const { browser } = await signIn();
    const value = browser.cookies.get('posthaste-session')?.value ?? '';
    for (const forged of ['', 'x', value.slice(0, -1), `${value}A`, value.replace(/.$/, '~')]) {
      const answer = await platform.app.inject({
        url: '/v1/things',
        headers: { host: 'localhost', cookie: `posthaste-session=${forged}` },
      });
      expect(answer.statusCode).toBe(401);
    }
  });
});

describe('on https', () => {
  it('the cookie has the prefix __Host- and is Secure, and the plain one is ignored', async () => {
    const secure = await openTestPeople(db, { POSTHASTE_PUBLIC_URL: 'https://events.example.com' });
    const { token } = await secure.createKey();
    const browser = new Browser(secure.app, 'events.example.com');
    const headers = { authorization: `Bearer ${token}`, origin: 'https://events.example.com' };
    const answer = await browser.send('/v1/sessions', { method: 'POST', headers });
    expect(answer.headers['set-cookie']).toMatch(
      /^__Host-posthaste-session=phs_[^;]+; Path=\/; HttpOnly; SameSite=Strict; Secure; Expires=/,
    );
    expect((await browser.send('/v1/things')).statusCode).toBe(200);
    const value = browser.cookies.get('__Host-posthaste-session')?.value;
    const plain = { host: 'events.example.com', cookie: `posthaste-session=${value}` };
    expect((await secure.app.inject({ url: '/v1/things', headers: plain })).statusCode).toBe(401);
    const behindProxy = {
      ...{ host: '10.0.0.1:8080', cookie: `__Host-posthaste-session=${value}` },
      origin: 'https://events.example.com',
    };
    const request = { method: 'POST', url: '/v1/things', headers: behindProxy } as const;
    expect((await secure.app.inject(request)).statusCode).toBe(200);
    await secure.close();
  });
});

describe('the sessions of others', () => {
  it('are listed and ended by admins for all applications', async () => {
    const { token } = await platform.createKey();
    const { browser, session } = await signIn({ scopes: ['callbacks:read'] });
    const as = (method: 'GET' | 'DELETE', url: string, key = token) =>
      platform.app.inject({ method, url, headers: { authorization: `Bearer ${key}` } });
    const list = (await as('GET', '/v1/sessions?limit=1')).json();
    expect(list).toEqual({ sessions: [session], next: session.id });
    expect(
      (await as('GET', `/v1/sessions?before=${session.id}`)).json().sessions,
    ).not.toContainEqual(session);
    for (const request of [{ scopes: ['callbacks:read'] }, { applications: ['shop'] }] as const) {
      const other = await platform.createKey(request);
      expect((await as('GET', '/v1/sessions', other.token)).statusCode).toBe(403);
      expect((await as('DELETE', `/v1/sessions/${session.id}`, other.token)).statusCode).toBe(403);
    }
    const ended = await as('DELETE', `/v1/sessions/${session.id}`);
    expect(ended.json()).toMatchObject({ id: session.id, revokedAt: expect.any(String) });
    expect((await browser.send('/v1/things')).statusCode).toBe(401);
    expect((await as('DELETE', `/v1/sessions/${newId()}`)).json()).toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
    expect((await as('DELETE', '/v1/sessions/current')).statusCode).toBe(404);
  });
});

describe('on loopback without a credential', () => {
  it('the caller is shown as local, and a session still binds', async () => {
    const local = await openTestPeople(db, { access: 'loopback' });
    const anybody = new Browser(local.app);
    expect((await anybody.send('/v1/sessions/current')).json()).toMatchObject({
      ...{ kind: 'local', applications: null, scopes: ['admin'], session: null },
    });
    const { token } = await local.createKey({ scopes: ['callbacks:read'], applications: ['shop'] });
    const browser = new Browser(local.app);
    const headers = { authorization: `Bearer ${token}` };
    await browser.send('/v1/sessions', { method: 'POST', headers });
    expect((await browser.send('/v1/things')).json()).toEqual({ applications: ['shop'] });
    // A page on another port of this machine can set a second cookie: that must not unbind.
    const value = browser.cookies.get('posthaste-session')?.value;
    const cookie = `posthaste-session=${value}; posthaste-session=x`;
    const twice = { host: 'localhost', cookie };
    expect((await local.app.inject({ url: '/v1/things', headers: twice })).statusCode).toBe(401);
    await local.close();
  });
});

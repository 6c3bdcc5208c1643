import { listAuditEntries } from '@posthaste/access';
import type { Database } from '@posthaste/postgres';
import { type OidcProvider, startOidcProvider } from '@posthaste/testbed';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../../../test/browser.js';
import {
  createPeopleDatabase,
  openTestPeople,
  type TestPeople,
} from '../../../test/test-people.js';

const publicUrl = 'https://events.example.com';
const client = {
  ...{ id: 'posthaste', secret: 'secret', redirectUri: `${publicUrl}/v1/sign-in/callback` },
};

let db: Database;
let provider: OidcProvider;
let platform: TestPeople;

beforeAll(async () => {
  db = await createPeopleDatabase();
  provider = await startOidcProvider(client);
  provider.person = { sub: 'anna', name: 'Anna', groups: ['shop-team', 'all-viewers'] };
  platform = await openTestPeople(db, {
    POSTHASTE_PUBLIC_URL: publicUrl,
    POSTHASTE_OIDC_ISSUER: provider.issuer,
    POSTHASTE_OIDC_CLIENT_ID: client.id,
    POSTHASTE_OIDC_CLIENT_SECRET: client.secret,
    POSTHASTE_OIDC_ROLES: 'shop-team=operator:shop, all-viewers=viewer',
    POSTHASTE_OIDC_ALLOWED_NETWORKS: '127.0.0.0/8',
  });
});

afterAll(async () => {
  await platform.close();
  await provider.close();
  await db.close();
});

/** Begins a sign-in in a new browser, and lets the person sign in at the provider. */
async function begin(path = '/v1/sign-in') {
  const browser = new Browser(platform.app, 'events.example.com');
  const answer = await browser.send(path, { site: 'none' });
  expect(answer.statusCode).toBe(302);
  const back = new URL(await provider.signIn(String(answer.headers.location)));
  return { browser, answer, path: back.pathname + back.search };
}

describe('/v1/sign-in', () => {
  it('signs a person in, with the roles of each application', async () => {
    const { browser, answer, path } = await begin('/v1/sign-in?returnTo=/applications/shop');
    expect(answer.headers['set-cookie']).toMatch(
      /^__Host-posthaste-sign-in=[^;]+; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=600$/,
    );
    const page = await browser.send(path, { site: 'cross-site' });
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.body).toContain('content="0;url=/applications/shop"');
    expect([...browser.cookies.keys()]).toEqual(['__Host-posthaste-session']);
    expect((await browser.send('/v1/sessions/current')).json()).toMatchObject({
      ...{ kind: 'person', name: 'Anna', applications: null },
      session: {
        ...{ issuer: provider.issuer, subject: 'anna' },
        roles: [
          { role: 'operator', applications: ['shop'] },
          { role: 'viewer', applications: null },
        ],
      },
    });
    expect((await browser.send('/v1/things')).json()).toEqual({ applications: 'all' });
    const write = await browser.send('/v1/things', { method: 'POST', body: {} });
    expect(write.json()).toEqual({ applications: ['shop'] });
    expect((await browser.send('/v1/keys')).statusCode).toBe(403);
  });

  it('is recorded in the audit log, once', async () => {
    const before = await listAuditEntries(db, { within: 'all', limit: 100 });
    const { browser, path } = await begin();
    expect((await browser.send(path, { site: 'cross-site' })).statusCode).toBe(200);
    const { session } = (await browser.send('/v1/sessions/current')).json();
    // The same answer of the provider makes no other session.
    expect((await browser.send(path, { site: 'cross-site' })).statusCode).toBe(401);
    const { items } = await listAuditEntries(db, { within: 'all', limit: 100 });
    const added = items.slice(0, items.length - before.items.length);
    expect(added).toMatchObject([
      {
        action: 'session.created',
        actor: { kind: 'person', id: session.id, name: 'Anna' },
        target: { kind: 'session', id: session.id, name: 'Anna' },
        after: { subject: 'anna', issuer: provider.issuer },
      },
    ]);
  });

  it.each(['//evil.example', '/\\evil.example', 'https://evil.example', '/%09/evil.example'])(
    'never leads to another site: %s',
    async (returnTo) => {
      const { browser, path } = await begin(`/v1/sign-in?returnTo=${encodeURIComponent(returnTo)}`);
      const page = await browser.send(path, { site: 'cross-site' });
      const [, url = ''] = /content="0;url=([^"]*)"/.exec(page.body) ?? [];
      expect(new URL(url, publicUrl).origin).toBe(publicUrl);
      expect(page.body).toContain(returnTo.startsWith('/%09') ? returnTo : 'url=/"');
    },
  );

  it('shows no markup of whoever chose the path', async () => {
    const returnTo = encodeURIComponent('/"><script>alert(1)</script>');
    const { browser, path } = await begin(`/v1/sign-in?returnTo=${returnTo}`);
    expect((await browser.send(path, { site: 'cross-site' })).body).not.toContain('<script');
  });

  it('refuses an answer that another browser has asked for', async () => {
    const attacker = await begin();
    const victim = new Browser(platform.app, 'events.example.com');
    const answer = await victim.send(attacker.path, { site: 'cross-site' });
    expect(answer.json()).toMatchObject({ code: 'SIGN_IN_FAILED' });
    const other = await begin();
    const mixed = await other.browser.send(attacker.path, { site: 'cross-site' });
    expect(mixed.json()).toMatchObject({ code: 'SIGN_IN_FAILED' });
    expect([victim, other.browser].flatMap(({ cookies }) => [...cookies.keys()])).toEqual([]);
  });

  it('refuses the same answer the second time', async () => {
    const { browser, path } = await begin();
    const begun = new Map(browser.cookies);
    expect((await browser.send(path, { site: 'cross-site' })).statusCode).toBe(200);
    const thief = new Browser(platform.app, 'events.example.com');
    for (const [name, cookie] of begun) thief.cookies.set(name, cookie);
    const again = await thief.send(path, { site: 'cross-site' });
    expect(again.json()).toMatchObject({ code: 'SIGN_IN_FAILED' });
    expect(thief.cookies.size).toBe(0);
  });

  it('refuses people without a role', async () => {
    const { person } = provider;
    provider.person = { sub: 'mallory', groups: ['another team'] };
    const { browser, path } = await begin();
    provider.person = person;
    const answer = await browser.send(path, { site: 'cross-site' });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({ code: 'SIGN_IN_FORBIDDEN' });
    expect(browser.cookies.size).toBe(0);
  });

  it('answers 503 while the provider is down', async () => {
    const { browser, path } = await begin();
    provider.fault = { path: '/token', kind: 'reset' };
    const answer = await browser.send(path, { site: 'cross-site' });
    provider.fault = undefined;
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({ code: 'IDENTITY_PROVIDER_UNAVAILABLE' });
  });

  it('is not there without a provider', async () => {
    const without = await openTestPeople(db);
    for (const url of ['/v1/sign-in', '/v1/sign-in/callback?code=x&state=y']) {
      const answer = await without.app.inject(url);
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({ code: 'SIGN_IN_UNAVAILABLE' });
    }
    await without.close();
  });
});

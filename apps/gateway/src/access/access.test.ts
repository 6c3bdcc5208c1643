import { describe, expect, it } from 'vitest';
import { testKeys, testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const keys = testKeys({
  writer: { id: '1', name: 'the writer', scopes: ['callbacks:write'] },
  reader: { id: '2', name: 'the reader', scopes: ['callbacks:read'] },
  admin: { id: '3', name: 'the admin', scopes: ['admin'] },
});

const routes = [
  (app: App): void => {
    app.post(
      '/v1/things',
      { config: { scope: 'callbacks:write', application: 'caller', audit: 'none' } },
      ({ caller }) => ({
        caller: caller.name,
      }),
    );
    app.get('/open', { config: { scope: 'public', application: 'none' } }, () => ({ open: true }));
  },
];

const withKeys = { POSTHASTE_ACCESS: 'keys' };

function post(app: App, headers: Record<string, string>, payload = '{}') {
  return app.inject({
    method: 'POST',
    url: '/v1/things',
    headers: { 'content-type': 'application/json', ...headers },
    payload,
  });
}

describe('with keys', () => {
  it('accepts a key with the scope, and passes it to the route', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    const answer = await post(app, { authorization: 'Bearer writer' });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ caller: 'the writer' });
  });

  it('accepts a key with the scope admin, and the name of the scheme in any case', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    expect((await post(app, { authorization: 'bearer admin' })).statusCode).toBe(200);
  });

  it('refuses a request without a key', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    for (const headers of [{}, { authorization: 'Basic d3JpdGVyOg==' }]) {
      const answer = await post(app, headers);
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(answer.json()).toMatchObject({ code: 'KEY_MISSING', retryable: false });
    }
  });

  it('refuses a wrong key without reading the body', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    const answer = await post(app, { authorization: 'Bearer wrong' }, '{not json');
    expect(answer.statusCode).toBe(401);
    expect(answer.json()).toMatchObject({ code: 'KEY_INVALID' });
    expect(answer.body).not.toContain('wrong');
  });

  it('refuses a key without the scope, and names the missing scope', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    const answer = await post(app, { authorization: 'Bearer reader' });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({
      code: 'SCOPE_MISSING',
      details: { needed: 'callbacks:write', held: ['callbacks:read'] },
    });
  });

  it('needs no key on health, documentation and public routes', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    for (const url of ['/open', '/health/live', '/health/ready', '/docs', '/openapi.json']) {
      expect((await app.inject(url)).statusCode, url).toBe(200);
    }
  });

  it('needs a key on /metrics and /v1/keys', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    expect((await app.inject('/metrics')).statusCode).toBe(401);
    expect((await app.inject('/v1/keys')).statusCode).toBe(401);
  });

  it('answers to any Host header', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    const answer = await app.inject({ url: '/open', headers: { host: 'posthaste.example' } });
    expect(answer.statusCode).toBe(200);
  });

  it('answers 404 for an unknown route without reading the body', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/nothing?secret=1',
      headers: { 'content-type': 'application/json' },
      payload: '{not json',
    });
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({
      code: 'ROUTE_NOT_FOUND',
      detail: 'there is no route POST /v1/nothing',
    });
  });
});

describe('on loopback', () => {
  it('needs no key', async () => {
    const { app } = await testServer({}, { keys, routes });
    const answer = await post(app, { host: 'localhost:8080' });
    expect(answer.json()).toEqual({ caller: 'local' });
    expect((await app.inject('/metrics')).statusCode).toBe(200);
  });

  it('checks a key that is sent, and lets it do no more than elsewhere', async () => {
    const { app } = await testServer({}, { keys, routes });
    const as = (authorization: string) => post(app, { host: 'localhost', authorization });
    expect((await as('Bearer writer')).json()).toEqual({ caller: 'the writer' });
    expect((await as('Bearer reader')).json()).toMatchObject({ code: 'SCOPE_MISSING' });
    expect((await as('Bearer wrong')).json()).toMatchObject({ code: 'KEY_INVALID' });
  });

  it.each(['Basic d3JpdGVyOg==', 'Bearer', 'Bearer ', 'bearer\twriter', 'writer', 'Digest x', ''])(
    'refuses the Authorization header "%s", and does not take its sender for a local caller',
    async (authorization) => {
      const { app } = await testServer({}, { keys, routes });
      const answer = await post(app, { host: 'localhost', authorization });
      expect(answer.statusCode).toBe(401);
      expect(answer.json()).toMatchObject({
        code: 'KEY_MISSING',
        detail:
          'the Authorization header has no API key; send an API key as `Authorization: Bearer <key>`',
      });
    },
  );

  it('refuses another Host header on every route', async () => {
    const { app } = await testServer({}, { keys, routes });
    for (const url of ['/open', '/health/live', '/docs', '/metrics', '/nothing']) {
      const answer = await app.inject({ url, headers: { host: 'rebound.example:8080' } });
      expect(answer.statusCode, url).toBe(403);
      expect(answer.json()).toMatchObject({ code: 'HOST_NOT_ALLOWED' });
    }
  });

  it('answers to the hosts of POSTHASTE_ALLOWED_HOSTS', async () => {
    const environment = { POSTHASTE_ALLOWED_HOSTS: 'box.local, other.local' };
    const { app } = await testServer(environment, { keys, routes });
    const answer = await app.inject({ url: '/open', headers: { host: 'other.local:8080' } });
    expect(answer.statusCode).toBe(200);
  });

  it('refuses pages of other origins', async () => {
    const { app } = await testServer({}, { keys, routes });
    const answer = await post(app, { host: 'localhost:8080', origin: 'https://evil.example' });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED' });
    const own = await post(app, { host: 'localhost:8080', origin: 'http://localhost:8080' });
    expect(own.statusCode).toBe(200);
  });
});

describe('CORS', () => {
  const origin = 'https://app.example.com';
  const preflight = { origin, 'access-control-request-method': 'POST' };

  it('is off unless origins are configured', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    const answer = await app.inject({ method: 'OPTIONS', url: '/v1/things', headers: preflight });
    expect(answer.statusCode).toBe(404);
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('answers the preflight of configured origins without a key, and then their call', async () => {
    const environment = { ...withKeys, POSTHASTE_CORS_ORIGINS: origin };
    const { app } = await testServer(environment, { keys, routes });
    const asked = await app.inject({ method: 'OPTIONS', url: '/v1/things', headers: preflight });
    expect(asked.statusCode).toBe(204);
    expect(asked.headers['access-control-allow-origin']).toBe(origin);
    const called = await post(app, { origin, authorization: 'Bearer writer' });
    expect(called.headers['access-control-allow-origin']).toBe(origin);
  });

  it('allows no other origin', async () => {
    const environment = { ...withKeys, POSTHASTE_CORS_ORIGINS: origin };
    const { app } = await testServer(environment, { keys, routes });
    const answer = await post(app, {
      origin: 'https://evil.example',
      authorization: 'Bearer writer',
    });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('lets configured origins call a server without keys', async () => {
    const { app } = await testServer({ POSTHASTE_CORS_ORIGINS: origin }, { keys, routes });
    expect((await post(app, { host: 'localhost', origin })).statusCode).toBe(200);
  });
});

describe('an API key in a web page', () => {
  const origin = 'https://app.example.com';
  const environment = { ...withKeys, POSTHASTE_CORS_ORIGINS: origin };
  const host = 'posthaste.example.com';

  it('is refused from another origin, allowed by CORS or not', async () => {
    const { app } = await testServer(environment, { keys, routes });
    for (const from of [origin, 'https://evil.example', 'null', `https://${host}.evil.example`]) {
      const answer = await post(app, { host, origin: from, authorization: 'Bearer writer' });
      expect(answer.statusCode, from).toBe(403);
      expect(answer.json()).toMatchObject({ code: 'ORIGIN_KEY_FORBIDDEN' });
    }
  });

  it('is accepted from the own origin, also behind a proxy that changes the Host header', async () => {
    const { app } = await testServer(environment, { keys, routes });
    for (const headers of [
      { host, origin: `https://${host}` },
      { host: `${host}:8080`, origin: `http://${host}:8080` },
      { host: '10.0.0.1', origin: `https://${host}`, 'sec-fetch-site': 'same-origin' },
    ]) {
      const answer = await post(app, { ...headers, authorization: 'Bearer writer' });
      expect(answer.statusCode).toBe(200);
    }
  });

  it('may come from another origin if it can do nothing but use channels', async () => {
    const realtime = testKeys({
      page: { id: '4', name: 'page', scopes: ['realtime:subscribe'] },
      more: { id: '5', name: 'more', scopes: ['realtime:subscribe', 'callbacks:read'] },
      writer: { id: '6', name: 'writer', scopes: ['realtime:subscribe', 'realtime:write'] },
    });
    const stream = (app: App): void => {
      const config = { scope: 'realtime:subscribe', application: 'caller' } as const;
      app.get('/v1/stream', { config }, () => ({}));
    };
    const { app } = await testServer(environment, { keys: realtime, routes: [stream] });
    const as = async (token: string) => {
      const headers = { host, origin, authorization: `Bearer ${token}` };
      return (await app.inject({ url: '/v1/stream', headers })).statusCode;
    };
    expect([await as('page'), await as('more'), await as('writer')]).toEqual([200, 403, 403]);
  });

  it('does not bind tokens and people, whose credentials are made for pages', async () => {
    const tokens = testKeys({
      pht_1: { kind: 'token', id: '6', name: 'portal', scopes: ['callbacks:write'] },
    });
    const { app } = await testServer(environment, { keys, routes, authenticators: { tokens } });
    const answer = await post(app, { host, origin, authorization: 'Bearer pht_1' });
    expect(answer.json()).toEqual({ caller: 'portal' });
  });
});

describe('other credentials than keys', () => {
  const tokens = testKeys({
    pht_1: { kind: 'token', id: '6', name: 'portal', scopes: ['callbacks:write'] },
  });
  const people = testKeys({
    s1: { kind: 'person', id: '7', name: 'Ada', scopes: ['callbacks:write'] },
  });
  const sessions = { ...people, cookieName: 'posthaste-session' };
  const authenticators = { tokens, sessions };

  it('are found by the prefix of a token and by the cookie of a session', async () => {
    const { app } = await testServer(withKeys, { keys, routes, authenticators });
    const as = async (headers: Record<string, string>) =>
      (await post(app, { 'sec-fetch-site': 'same-origin', ...headers })).json();
    expect(await as({ authorization: 'Bearer pht_1' })).toEqual({ caller: 'portal' });
    expect(await as({ cookie: 'a=b; posthaste-session=s1; c=d' })).toEqual({ caller: 'Ada' });
    expect(await as({ cookie: 'posthaste-session=s2' })).toMatchObject({ code: 'KEY_INVALID' });
    expect(await as({ cookie: 'xposthaste-session=s1' })).toMatchObject({ code: 'KEY_MISSING' });
  });

  it('do not stand in for a credential in Authorization that is refused', async () => {
    const { app } = await testServer(withKeys, { keys, routes, authenticators });
    for (const authorization of ['Bearer wrong', 'Bearer s1', 'Bearer pht_2', 'Basic x', '']) {
      const answer = await post(app, { authorization, cookie: 'posthaste-session=s1' });
      expect(answer.statusCode, authorization).toBe(401);
    }
  });

  it('are refused where the server does not know their kind', async () => {
    const { app } = await testServer(withKeys, { keys, routes });
    for (const headers of [
      { authorization: 'Bearer pht_1' },
      { cookie: 'posthaste-session=s1' },
    ] as Record<string, string>[]) {
      expect((await post(app, headers)).statusCode).toBe(401);
    }
  });
});

describe('a route without a scope', () => {
  it('keeps the server from starting', async () => {
    const open = (app: App): void => void app.get('/forgotten', () => 'oops');
    await expect(testServer({}, { routes: [open] })).rejects.toThrow(
      'no scope or application is declared by GET /forgotten, HEAD /forgotten',
    );
  });
});

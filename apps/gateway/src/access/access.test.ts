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
      { config: { scope: 'callbacks:write', application: 'caller' } },
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

describe('a route without a scope', () => {
  it('keeps the server from starting', async () => {
    const open = (app: App): void => void app.get('/forgotten', () => 'oops');
    await expect(testServer({}, { routes: [open] })).rejects.toThrow(
      'no scope or application is declared by GET /forgotten, HEAD /forgotten',
    );
  });
});

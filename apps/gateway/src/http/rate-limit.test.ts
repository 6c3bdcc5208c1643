import { describe, expect, it } from 'vitest';
import { testKeys, testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const keys = testKeys({
  one: { id: '1', name: 'one', scopes: ['admin'] },
  two: { id: '2', name: 'two', scopes: ['admin'] },
});

const routes = [
  (app: App): void => {
    app.get('/v1/things', { config: { scope: 'callbacks:read' } }, () => ({}));
  },
];

interface Caller {
  readonly address: string;
  readonly token?: string;
}

function get(app: App, { address, token = '' }: Caller, url = '/v1/things') {
  const headers = { authorization: `Bearer ${token}` };
  return app.inject({ url, remoteAddress: address, headers });
}

/** Sends `count` requests one after another, numbered from 1, and returns their statuses. */
async function statuses(
  count: number,
  send: (number: number) => ReturnType<typeof get>,
): Promise<number[]> {
  const seen: number[] = [];
  for (let number = 1; number <= count; number += 1) seen.push((await send(number)).statusCode);
  return seen;
}

describe('the rate limit', () => {
  const environment = { POSTHASTE_ACCESS: 'keys', POSTHASTE_RATE_LIMIT: '3' };

  it('says when to try again', async () => {
    const { app } = await testServer({ POSTHASTE_RATE_LIMIT: '1' }, { routes });
    expect((await app.inject('/v1/things')).statusCode).toBe(200);
    const answer = await app.inject('/v1/things');
    expect(answer.statusCode).toBe(429);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json()).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
  });

  it('counts a known key by itself, wherever it calls from', async () => {
    const { app } = await testServer(environment, {
      keys: { ...keys, findCached: (token) => ({ id: token, name: token, scopes: ['admin'] }) },
      routes,
    });
    const send = (number: number) => get(app, { token: 'one', address: `10.0.0.${number}` });
    expect(await statuses(5, send)).toEqual([200, 200, 200, 429, 429]);
    expect((await get(app, { token: 'two', address: '10.0.0.1' })).statusCode).toBe(200);
  });

  it('counts guesses by address, before they reach the database', async () => {
    let lookups = 0;
    const counting = {
      ...keys,
      authenticate: (token: string) => {
        lookups += 1;
        return keys.authenticate(token);
      },
    };
    const { app } = await testServer(environment, { keys: counting, routes });
    const send = (number: number) => get(app, { token: `guess ${number}`, address: '10.0.0.1' });
    expect(await statuses(6, send)).toEqual([401, 401, 401, 429, 429, 429]);
    expect(lookups).toBe(3);
    expect((await get(app, { token: 'one', address: '10.0.0.2' })).statusCode).toBe(200);
  });

  it('counts requests for unknown routes', async () => {
    const { app } = await testServer(environment, { keys, routes });
    const send = () => get(app, { token: 'one', address: '10.0.0.1' }, '/nothing');
    expect(await statuses(4, send)).toEqual([404, 404, 404, 429]);
  });

  it('counts all addresses of an IPv6 /64 network together', async () => {
    const { app } = await testServer({ POSTHASTE_RATE_LIMIT: '2' }, { routes });
    const send = (number: number) => get(app, { address: `2001:db8:1:2::${number}` });
    expect(await statuses(3, send)).toEqual([200, 200, 429]);
  });

  it('takes the address from a trusted proxy only', async () => {
    const limited = { POSTHASTE_RATE_LIMIT: '1', POSTHASTE_TRUSTED_PROXIES: '10.0.0.0/8' };
    const { app } = await testServer(limited, { routes });
    const via = (proxy: string, client: string) =>
      app.inject({
        url: '/v1/things',
        remoteAddress: proxy,
        headers: { 'x-forwarded-for': client },
      });
    expect((await via('10.0.0.1', '1.1.1.1')).statusCode).toBe(200);
    expect((await via('10.0.0.1', '2.2.2.2')).statusCode).toBe(200);
    expect((await via('10.0.0.1', '2.2.2.2')).statusCode).toBe(429);
    expect((await via('9.9.9.9', '3.3.3.3')).statusCode).toBe(200);
    expect((await via('9.9.9.9', '4.4.4.4')).statusCode).toBe(429);
  });

  it('does not limit health checks', async () => {
    const { app } = await testServer(environment, { keys, routes });
    const send = () => get(app, { address: '10.0.0.1' }, '/health/live');
    expect(await statuses(5, send)).toEqual([200, 200, 200, 200, 200]);
  });

  it('is off unless set', async () => {
    const { app } = await testServer({}, { routes });
    const send = () => get(app, { address: '127.0.0.1' });
    expect(new Set(await statuses(200, send))).toEqual(new Set([200]));
  });
});

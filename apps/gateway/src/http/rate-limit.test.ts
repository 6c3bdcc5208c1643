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

function get(app: App, token: string, remoteAddress: string, url = '/v1/things') {
  return app.inject({ url, remoteAddress, headers: { authorization: `Bearer ${token}` } });
}

/** Asks so many times, one after another; `ask` gets the number of the time. */
async function statuses(
  count: number,
  ask: (time: number) => ReturnType<typeof get>,
): Promise<number[]> {
  const seen: number[] = [];
  for (let time = 1; time <= count; time += 1) seen.push((await ask(time)).statusCode);
  return seen;
}

describe('the rate limit', () => {
  const environment = { POSTHASTE_ACCESS: 'keys', POSTHASTE_RATE_LIMIT: '3' };

  it('says when to come back', async () => {
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
    const elsewhere = (time: number) => get(app, 'one', `10.0.0.${time}`);
    expect(await statuses(5, elsewhere)).toEqual([200, 200, 200, 429, 429]);
    expect((await get(app, 'two', '10.0.0.1')).statusCode).toBe(200);
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
    const ask = (time: number) => get(app, `guess ${time}`, '10.0.0.1');
    expect(await statuses(6, ask)).toEqual([401, 401, 401, 429, 429, 429]);
    expect(lookups).toBe(3);
    expect((await get(app, 'one', '10.0.0.2')).statusCode).toBe(200);
  });

  it('counts what asks for nothing that exists', async () => {
    const { app } = await testServer(environment, { keys, routes });
    const ask = () => get(app, 'one', '10.0.0.1', '/nothing');
    expect(await statuses(4, ask)).toEqual([404, 404, 404, 429]);
  });

  it('counts an IPv6 subscriber as one', async () => {
    const { app } = await testServer({ POSTHASTE_RATE_LIMIT: '2' }, { routes });
    const ask = (time: number) => get(app, '', `2001:db8:1:2::${time}`);
    expect(await statuses(3, ask)).toEqual([200, 200, 429]);
  });

  it('takes the address from a trusted proxy, and from nobody else', async () => {
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

  it('never refuses whoever asks for health', async () => {
    const { app } = await testServer(environment, { keys, routes });
    const ask = () => get(app, '', '10.0.0.1', '/health/live');
    expect(await statuses(5, ask)).toEqual([200, 200, 200, 200, 200]);
  });

  it('is off unless set', async () => {
    const { app } = await testServer({}, { routes });
    expect(new Set(await statuses(200, () => get(app, '', '127.0.0.1')))).toEqual(new Set([200]));
  });
});

import { localCaller } from '@posthaste/access';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { testConfig, testKeys, testServer } from '../../../test/test-server.js';
import type { App } from '../../app.js';
import { RateLimiter } from './rate-limit.js';

const keys = testKeys({
  one: { id: '1', name: 'one', scopes: ['admin'] },
  two: { id: '2', name: 'two', scopes: ['admin'] },
});

const routes = [
  (app: App): void => {
    app.get(
      '/v1/things',
      { config: { scope: 'callbacks:read', application: 'caller' } },
      () => ({}),
    );
  },
];

interface Caller {
  readonly address: string;
  readonly token?: string;
}

function get(app: App, { address, token }: Caller, url = '/v1/things') {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
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

const reply = { header: () => reply } as unknown as FastifyReply;

/** Returns a request that arrived at this time, as far as the limiter reads it. */
function requestAt(startedAt: number, fields: object = {}): FastifyRequest {
  const request = { startedAt, ip: '10.0.0.1', caller: { id: '' }, ...fields };
  return request as unknown as FastifyRequest;
}

/** Returns how many of `count` requests were not refused. The number of each is below 1,000. */
function accepted(count: number, send: (number: number) => unknown): number {
  let passed = 0;
  for (let i = 0; i < count; i += 1) if (send(i % 1_000) === undefined) passed += 1;
  return passed;
}

describe('the rate limit', () => {
  const environment = {
    POSTHASTE_ACCESS: 'keys',
    POSTHASTE_RATE_LIMIT: '3',
    POSTHASTE_RATE_LIMIT_WITHOUT_KEY: '3',
  };

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
      keys: {
        ...keys,
        findCached: (token) => ({ ...localCaller, kind: 'key', id: token, name: token }),
      },
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

  it('counts what has no key by address, and less of it, unless set otherwise', () => {
    const limits = new RateLimiter(testConfig({ POSTHASTE_ACCESS: 'keys' }));
    const withKey = { caller: { id: '1' } };
    expect(accepted(250, (number) => limits.byAddress(requestAt(number), reply))).toBe(200);
    expect(accepted(30_001, () => limits.byKey(requestAt(0, withKey), reply))).toBe(30_000);
  });

  it('is off with 0', () => {
    const off = {
      POSTHASTE_RATE_LIMIT: '0',
      POSTHASTE_RATE_LIMIT_WITHOUT_KEY: '0',
    };
    for (const access of ['loopback', 'keys']) {
      const limits = new RateLimiter(testConfig({ ...off, POSTHASTE_ACCESS: access }));
      expect(accepted(100_000, () => limits.byAddress(requestAt(0), reply))).toBe(100_000);
    }
  });

  it('forgets the callers that came first when there are very many', () => {
    const limits = new RateLimiter(testConfig({ POSTHASTE_RATE_LIMIT: '1' }));
    const from = (ip: string) => limits.byAddress(requestAt(0, { ip }), reply);
    expect([from('a'), from('a')?.code]).toEqual([undefined, 'RATE_LIMITED']);
    for (let i = 0; i < 50_000; i += 1) from(`${i}`);
    expect(from('a')).toBeUndefined();
  });
});

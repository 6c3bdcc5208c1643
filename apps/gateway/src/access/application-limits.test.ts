import type { ApplicationLimits } from '@posthaste/access';
import { describe, expect, it } from 'vitest';
import { testKeys, testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
import type { ApplicationLimitSource } from './application-limits.js';

const keys = testKeys({
  shop: { id: '1', name: 'shop', scopes: ['admin'], applications: ['shop'] },
  both: { id: '2', name: 'both', scopes: ['admin'], applications: ['shop', 'game'] },
  all: { id: '3', name: 'all', scopes: ['admin'] },
});

/** Routes that add to an application, as those of callbacks, batches and endpoints do. */
const routes = [
  (app: App): void => {
    const config = { scope: 'admin', application: 'named', audit: 'none' } as const;
    app.post('/named', { config: { ...config, counts: 'deliveries' } }, ({ application }) => {
      return { application };
    });
    app.post('/endpoints', { config: { ...config, counts: 'endpoints' } }, () => ({}));
    app.post('/events', { config: { ...config, counts: 'events' } }, () => ({}));
    app.get('/list', { config: { scope: 'admin', application: 'filter' } }, () => ({}));
    app.post<{ Body: string[] }>(
      '/batch',
      { config: { scope: 'admin', application: 'items', audit: 'none', counts: 'deliveries' } },
      (request) =>
        request.body.map((item) => {
          try {
            return request.applicationFor(item);
          } catch (error) {
            return (error as { code: string }).code;
          }
        }),
    );
  },
];

const none: ApplicationLimits = {
  requestsPerSecond: null,
  deliveriesPerSecond: null,
  eventsPerSecond: null,
  backlog: null,
  endpoints: null,
  storedBytes: null,
};

/** Limits of the application shop that a test can change, and its usage. */
function limitsOfShop(given: Partial<ApplicationLimits>, usage: Partial<ApplicationLimits> = {}) {
  const limits = { ...none, ...given };
  const source: ApplicationLimitSource = {
    isActive: true,
    limitOf: (application, name) =>
      (application === 'shop' ? limits[name] : null) ?? Number.POSITIVE_INFINITY,
    usageOf: (application, name) => (application === 'shop' ? (usage[name] ?? 0) : 0),
  };
  return { limits, source };
}

const open = async (source: ApplicationLimitSource): Promise<App> =>
  (await testServer({ POSTHASTE_ACCESS: 'keys' }, { keys, routes, limits: source })).app;

const send = (app: App, token: string, [method, url, payload]: ['GET' | 'POST', string, object?]) =>
  app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${token}` },
    ...(payload && { payload }),
  });

describe('limits of applications', () => {
  it('refuse requests over the rate with the limit, its value, and who can raise it', async () => {
    const app = await open(limitsOfShop({ requestsPerSecond: 3 }).source);
    const answers = [];
    for (let n = 0; n < 5; n += 1) answers.push(await send(app, 'shop', ['GET', '/list']));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 429, 429]);
    expect(answers[4]?.headers['retry-after']).toBe('1');
    expect(answers[4]?.json()).toMatchObject({
      code: 'LIMIT_REACHED',
      retryable: true,
      details: {
        application: 'shop',
        limit: 'requestsPerSecond',
        max: 3,
        retryAfterSeconds: 1,
        raisedBy: expect.stringContaining('PATCH /v1/applications'),
      },
    });
  });

  it('count requests by callers of several applications for the one that they name', async () => {
    const app = await open(limitsOfShop({ requestsPerSecond: 1 }).source);
    const post = async (token: string, application: string): Promise<number> =>
      (await send(app, token, ['POST', '/named', { application }])).statusCode;
    expect([await post('both', 'shop'), await post('all', 'shop')]).toEqual([200, 429]);
    expect([await post('both', 'game'), await post('all', 'game')]).toEqual([200, 200]);
    expect((await send(app, 'all', ['GET', '/list'])).statusCode).toBe(200);
  });

  it('count a request of a caller for one application once', async () => {
    const app = await open(limitsOfShop({ requestsPerSecond: 2 }).source);
    for (const status of [200, 200, 429]) {
      expect((await send(app, 'shop', ['POST', '/named', {}])).statusCode).toBe(status);
    }
  });

  it('refuse the items of a batch that are over the limit, and no others', async () => {
    const app = await open(limitsOfShop({ deliveriesPerSecond: 2 }).source);
    const items = ['shop', 'game', 'shop', 'shop', 'game', 'shop'];
    expect((await send(app, 'both', ['POST', '/batch', items])).json()).toEqual([
      'shop',
      'game',
      'shop',
      'LIMIT_REACHED',
      'game',
      'LIMIT_REACHED',
    ]);
  });

  it.each([
    [{ deliveriesPerSecond: 1 }, {}],
    [{ backlog: 10 }, { backlog: 10 }],
    [{ storedBytes: 10 }, { storedBytes: 11 }],
  ])(
    'refuse a batch as a whole when nothing of %j is left, before it is read',
    async (given, used) => {
      const app = await open(limitsOfShop(given, used).source);
      await send(app, 'shop', ['POST', '/named', {}]);
      const headers = { authorization: 'Bearer shop', 'content-type': 'application/json' };
      const refused = await app.inject({
        method: 'POST',
        url: '/batch',
        headers,
        payload: 'no JSON',
      });
      expect([refused.statusCode, refused.json().code]).toEqual([429, 'LIMIT_REACHED']);
      expect(refused.headers['retry-after']).toBeDefined();
      // Who has other applications is answered for each item.
      expect((await send(app, 'both', ['POST', '/batch', ['game', 'shop']])).json()).toEqual([
        'game',
        'LIMIT_REACHED',
      ]);
    },
  );

  it.each([
    ['backlog', '/named', 200],
    ['storedBytes', '/named', 429],
    ['storedBytes', '/events', 429],
  ] as const)('refuse by %s on %s', async (limit, url, events) => {
    const app = await open(limitsOfShop({ [limit]: 10 }, { [limit]: 10 }).source);
    const answer = await send(app, 'shop', ['POST', url, {}]);
    expect(answer.statusCode).toBe(429);
    expect(answer.json().details).toMatchObject({ limit, max: 10 });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(5);
    expect((await send(app, 'shop', ['POST', '/events', {}])).statusCode).toBe(events);
    expect((await send(app, 'both', ['POST', url, { application: 'game' }])).statusCode).toBe(200);
  });

  it('allow no more endpoints than are left since the measurement', async () => {
    const app = await open(limitsOfShop({ endpoints: 10 }, { endpoints: 7 }).source);
    const statuses = [];
    for (let n = 0; n < 5; n += 1) {
      statuses.push((await send(app, 'shop', ['POST', '/endpoints', {}])).statusCode);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });

  it('change while they are counted', async () => {
    const { limits, source } = limitsOfShop({ requestsPerSecond: 1 });
    const app = await open(source);
    const status = async () => (await send(app, 'shop', ['GET', '/list'])).statusCode;
    expect([await status(), await status()]).toEqual([200, 429]);
    Object.assign(limits, { requestsPerSecond: 3 });
    expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
    Object.assign(limits, { requestsPerSecond: null });
    expect(await status()).toBe(200);
  });
});

import { describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const routes = [
  (app: App): void => {
    const config = { scope: 'public', application: 'none', audit: 'none' } as const;
    app.get('/things/:id', { config }, () => ({}));
    app.get('/chatty', { config }, ({ log }) => {
      log.trace('not wanted');
      log.debug({ a: 1 }, 'first');
      log.child({ part: 'x' }).warn('second');
      return {};
    });
  },
];

describe('the log', () => {
  it('has no line for a successful request', async () => {
    const { app, logs } = await testServer({}, { routes });
    await app.inject('/things/7');
    expect(logs).toEqual([]);
  });

  it('has a line without the query for every request with POSTHASTE_LOG_REQUESTS', async () => {
    const { app, logs } = await testServer({ POSTHASTE_LOG_REQUESTS: 'true' }, { routes });
    await app.inject('/things/7?token=hunter2');
    await expect
      .poll(() => logs)
      .toEqual([
        {
          level: 'info',
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
          service: 'gateway',
          requestId: expect.any(String),
          method: 'GET',
          path: '/things/7',
          status: 200,
          ms: expect.any(Number),
          msg: 'request answered',
        },
      ]);
  });

  it('has the request id in every line that a handler writes', async () => {
    const { app, logs } = await testServer({}, { routes });
    await app.inject('/chatty');
    await app.inject('/chatty');
    const ids = logs.map((line) => line.requestId);
    expect(logs).toMatchObject([
      { msg: 'first', level: 'debug', a: 1 },
      { msg: 'second', level: 'warn', part: 'x' },
      { msg: 'first' },
      { msg: 'second' },
    ]);
    expect(ids[0]).toBe(ids[1]);
    expect(ids[0]).not.toBe(ids[2]);
  });
});

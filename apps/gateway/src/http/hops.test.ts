import { hopsHeader, PlatformError } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
import { hopsOf } from './hops.js';

const routes = [
  (app: App): void => {
    app.get('/seen', { config: { scope: 'public', application: 'none' } }, (request) => ({
      hops: hopsOf(request),
    }));
    app.post(
      '/again',
      { config: { scope: 'public', application: 'none', audit: 'none', sendsAgain: true } },
      () => ({ sent: true }),
    );
  },
];

describe('requests of deliveries', () => {
  const call = async (
    url: string,
    hops: string | string[] | undefined,
    environment: Record<string, string> = {},
  ) => {
    const { app } = await testServer(environment, { routes });
    const method = url === '/again' ? 'POST' : 'GET';
    const headers = hops === undefined ? {} : { [hopsHeader]: hops };
    const answer = await app.inject({ method, url, headers });
    await app.close();
    return [answer.statusCode, answer.json<{ hops?: number; code?: string }>()] as const;
  };

  it.each([
    [undefined, 0],
    ['0', 0],
    ['1', 1],
    ['5', 5],
  ])('are served with the header %s', async (header, hops) => {
    expect(await call('/seen', header)).toEqual([200, { hops }]);
  });

  it.each(['6', '98', '1000', '-1', '1.5', 'x', '', '1, 0'])(
    'are refused with the header %j',
    async (header) => {
      expect(await call('/seen', header)).toMatchObject([508, { code: 'LOOP_DETECTED' }]);
    },
  );

  it('are refused when the header was sent twice, so that nobody can lower it', async () => {
    expect(await call('/seen', ['1', '0'])).toMatchObject([508, { code: 'LOOP_DETECTED' }]);
  });

  it('are refused past the limit of the configuration', async () => {
    const environment = { POSTHASTE_MAX_HOPS: '1' };
    expect(await call('/seen', '1', environment)).toMatchObject([200, {}]);
    expect(await call('/seen', '2', environment)).toMatchObject([508, { code: 'LOOP_DETECTED' }]);
  });

  it('are always refused by routes that send again', async () => {
    expect(await call('/again', undefined)).toEqual([200, { sent: true }]);
    expect(await call('/again', '1')).toMatchObject([508, { code: 'LOOP_DETECTED' }]);
  });

  it('get an error that no retry can help', () => {
    const error = new PlatformError('LOOP_DETECTED', '');
    expect([error.httpStatus, error.retryable]).toEqual([508, false]);
  });
});

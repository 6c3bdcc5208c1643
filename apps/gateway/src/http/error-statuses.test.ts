import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type ErrorCode, errorCodes, PlatformError } from '@posthaste/contracts';
import { Type } from 'typebox';
import { afterEach, describe, expect, it } from 'vitest';
import { bodyOf, rawConnection } from '../../test/raw-connection.js';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const page = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');

/** Statuses by code, as docs/errors.md has them. */
const documented: ReadonlyMap<string, number> = new Map(
  [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, code = '', status]) => [
    code,
    Number(status),
  ]),
);

const config = { scope: 'public', application: 'none', audit: 'none' } as const;
const routes = [
  (app: App): void => {
    app.post('/things', { config, schema: { body: Type.Object({}) } }, () => ({}));
    app.get('/open', { config }, () => ({ open: true }));
    app.get('/keys-only', { config: { scope: 'admin', application: 'caller' } }, () => ({}));
    app.get<{ Params: { code: ErrorCode } }>('/fail/:code', { config }, ({ params }) => {
      throw new PlatformError(params.code, 'as the test asks');
    });
  },
];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Starts a server and returns its port. */
async function listen(environment: Record<string, string> = {}): Promise<number> {
  const { app } = await testServer(environment, { routes });
  cleanups.push(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

const head = 'Host: localhost\r\nConnection: close\r\n';
const post = (headers: string, body = ''): string =>
  `POST /things HTTP/1.1\r\n${head}${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
const get = (path: string, headers = head): string => `GET ${path} HTTP/1.1\r\n${headers}\r\n`;

describe('docs/errors.md', () => {
  it('lists every code', () => {
    expect([...documented.keys()].sort()).toEqual(Object.keys(errorCodes).sort());
  });

  it('has for each code the status that a route that throws it answers', async () => {
    const { app } = await testServer({}, { routes });
    for (const [code, status] of documented) {
      const answer = await app.inject(`/fail/${code}`);
      expect([code, answer.statusCode, answer.json<{ status: number }>().status]).toEqual([
        code,
        status,
        status,
      ]);
    }
  });

  it.each<[ErrorCode, string, Record<string, string>?]>([
    ['MEDIA_TYPE_UNSUPPORTED', post('Content-Type: text/csv\r\n', 'a,b')],
    ['REQUEST_MALFORMED', 'this is not HTTP\r\n\r\n'],
    ['HEADERS_TOO_LARGE', get('/open', `${head}X-Long: ${'x'.repeat(40_000)}\r\n`)],
    [
      'REQUEST_TIMEOUT',
      'GET /open HTTP/1.1\r\nHost: localhost\r\n',
      { POSTHASTE_HEADERS_TIMEOUT: '200ms', POSTHASTE_REQUEST_TIMEOUT: '400ms' },
    ],
    ['REQUEST_INVALID', post('Content-Type: application/json\r\n', '[]')],
    [
      'REQUEST_TOO_LARGE',
      post('Content-Type: application/json\r\n', JSON.stringify('x'.repeat(2_000))),
      { POSTHASTE_BODY_LIMIT: '1024' },
    ],
    ['ROUTE_NOT_FOUND', get('/nothing')],
    ['HOST_NOT_ALLOWED', get('/open', 'Host: example.com\r\nConnection: close\r\n')],
    ['ORIGIN_NOT_ALLOWED', get('/open', `${head}Origin: https://example.com\r\n`)],
    ['KEY_MISSING', get('/keys-only'), { POSTHASTE_ACCESS: 'keys' }],
    [
      'KEY_INVALID',
      get('/keys-only', `${head}Authorization: Bearer phk_nothing\r\n`),
      { POSTHASTE_ACCESS: 'keys' },
    ],
  ])('has the status that is sent for %s', async (code, request, environment) => {
    const connection = await rawConnection(await listen(environment));
    cleanups.push(() => connection.close());
    connection.write(request);
    const answer = await connection.received;
    const status = documented.get(code);
    expect(answer.split(' ', 2)).toEqual(['HTTP/1.1', String(status)]);
    expect(bodyOf(answer)).toMatchObject({ code, status });
  });
});

import { startReceiver } from '@posthaste/testbed';
import { describe, expect, it } from 'vitest';
import { failureOf, get, openEgress, post, responseOf, started } from '../test/sending.js';
import { createAddressGuard, createEgress } from './index.js';

describe('a request', () => {
  it('arrives unchanged, with identity as the only accepted encoding', async () => {
    const receiver = await started(startReceiver());
    const headers = [
      ['Content-Type', 'text/plain'],
      ['X-Twice', 'one'],
      ['X-Twice', 'two'],
      ['Accept-Encoding', 'gzip, br'],
    ] as const;
    await openEgress().send(post(`${receiver.url}/a/b?c=d#e`, 'the body', { headers }));
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/a/b?c=d' });
    expect(request?.body.toString()).toBe('the body');
    expect(request?.headers).toMatchObject({
      host: `127.0.0.1:${receiver.port}`,
      'content-type': 'text/plain',
      'content-length': '8',
      'x-twice': 'one, two',
      'accept-encoding': 'identity',
    });
  });

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'REPORT'])(
    'may be %s, with and without a body',
    async (method) => {
      const receiver = await started(startReceiver({ kind: 'respond', status: 202 }));
      const egress = openEgress();
      for (const body of [null, new Uint8Array(), Buffer.from('with a body')]) {
        const outcome = await egress.send(get(receiver.url, { method, body }));
        expect(responseOf(outcome)).toMatchObject({ statusCode: 202, cut: false });
      }
      const lengths = receiver.requests.map(({ method: got, bodyBytes }) => [got, bodyBytes]);
      expect(lengths).toEqual([0, 0, 11].map((bytes) => [method, bytes]));
    },
  );

  it.each([
    ['a relative URL', { url: '/callback' }],
    ['another scheme', { url: 'ftp://127.0.0.1/' }],
    ['credentials in the URL', { url: 'http://user:secret@127.0.0.1/' }],
    ['a method that is not a token', { method: 'GE T' }],
    ['an empty method', { method: '' }],
    ['CONNECT', { method: 'CONNECT' }],
    ['a line break in a header', { headers: [['x-secret', 'a\r\nx-injected: secret']] }],
    ['a NUL in a header', { headers: [['x-secret', 'secret\0']] }],
    ['a header beyond latin1', { headers: [['x-secret', 'secret €']] }],
    ['a header name that is not a token', { headers: [['x secret', 'secret']] }],
    ['an empty header name', { headers: [['', 'secret']] }],
    ['a host of its own', { headers: [['Host', 'secret.test']] }],
    ['a length of its own', { headers: [['Content-Length', '5']] }],
    ['a transfer coding', { headers: [['Transfer-Encoding', 'chunked']] }],
    ['a connection header', { headers: [['connection', 'close']] }],
    ['an expectation', { headers: [['Expect', '100-continue']] }],
    ['an upgrade', { headers: [['Upgrade', 'h2c']] }],
  ] as const)('with %s is a failure, and is not sent', async (_what, changes) => {
    const receiver = await started(startReceiver());
    const outcome = await openEgress().send(get(receiver.url, changes));
    const { detail, ...failure } = failureOf(outcome);
    expect(failure).toMatchObject({ reason: 'protocol', permanent: true, resent: false });
    expect(detail).not.toMatch(/secret\b(?! header)/);
    expect(receiver.count).toBe(0);
  });
});

describe('a response', () => {
  it('keeps its status, every header value and its body', async () => {
    const headers = { 'X-One': '1', 'Set-Cookie': ['a=1', 'b=2'] };
    const step = { kind: 'respond', status: 418, headers, body: 'short and stout' } as const;
    const receiver = await started(startReceiver(step));
    const response = responseOf(await openEgress().send(get(receiver.url)));
    expect(response).toMatchObject({
      statusCode: 418,
      truncated: false,
      cut: false,
      resent: false,
    });
    expect(response.body.toString()).toBe('short and stout');
    expect(response.headers).toEqual(
      expect.arrayContaining([
        ['x-one', '1'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ]),
    );
    expect(response.durationNs).toBeGreaterThan(0n);
    expect(response.durationNs).toBeLessThan(10_000_000_000n);
  });

  it.each([200, 204, 205, 301, 304, 400, 404, 410, 429, 500, 503, 599])(
    'with %i is a response',
    async (status) => {
      const receiver = await started(startReceiver(status));
      const outcome = await openEgress().send(post(receiver.url, 'x'));
      expect(responseOf(outcome).statusCode).toBe(status);
    },
  );

  it('is not decompressed', async () => {
    const receiver = await started(startReceiver({ kind: 'gzip-bomb', bytes: 1e8 }));
    const outcome = await openEgress().send(get(receiver.url, { maxResponseBytes: 1e6 }));
    const { body, truncated } = responseOf(outcome);
    expect(body.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
    expect(body.length).toBeLessThan(200_000);
    expect(truncated).toBe(false);
  });

  it.each([
    ['102 Processing', 102],
    ['103 Early Hints', 103],
  ])('may come after %s', async (_what, status) => {
    const final = { kind: 'respond', status: 201, body: 'done' } as const;
    const step = { kind: 'informational', status, times: 3, final } as const;
    const receiver = await started(startReceiver(step));
    const response = responseOf(await openEgress().send(get(receiver.url)));
    expect(response.statusCode).toBe(201);
    expect(response.body.toString()).toBe('done');
  });

  it.each([
    ['of HTTP/1.0, up to the end', 'HTTP/1.0 200 OK\r\n\r\nold body'],
    ['of HTTP/1.0, with a length', 'HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nold body'],
    ['in chunks', chunked('3\r\nold\r\n5\r\n body\r\n0\r\n\r\n')],
    ['in chunks with trailers', chunked('8;ext=1\r\nold body\r\n0\r\nx-sum: 1\r\n\r\n')],
    ['without a phrase', 'HTTP/1.1 200\r\nContent-Length: 8\r\n\r\nold body'],
  ])('%s is parsed', async (_what, data) => {
    const receiver = await started(startReceiver({ kind: 'raw', data }));
    const response = responseOf(await openEgress().send(get(receiver.url)));
    expect(response).toMatchObject({ statusCode: 200, cut: false, truncated: false });
    expect(response.body.toString()).toBe('old body');
  });
});

describe('createEgress', () => {
  it.each([
    'maxConnectionsPerOrigin',
    'maxIdleConnections',
    'keepAliveMs',
    'maxHeaderBytes',
    'closeTimeoutMs',
  ])('refuses a %s that is not a positive integer', (name) => {
    const guard = createAddressGuard();
    for (const value of [0, -1, 1.5, Number.NaN]) {
      expect(() => createEgress({ guard, [name]: value })).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    }
  });
});

function chunked(body: string): string {
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n${body}`;
}

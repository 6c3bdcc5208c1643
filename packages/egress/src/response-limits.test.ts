import { startReceiver } from '@posthaste/testbed';
import { describe, expect, it } from 'vitest';
import { failureOf, get, openEgress, responseOf, started } from '../test/sending.js';

describe('a body over the limit', () => {
  it.each([
    ['without end', Number.POSITIVE_INFINITY, false],
    ['of a gigabyte that is announced', 2 ** 30, true],
  ])('%s is kept up to the limit, and the socket closed', async (_what, bytes, announced) => {
    const receiver = await started(startReceiver({ kind: 'huge-body', bytes, announced }));
    const egress = openEgress();
    const response = responseOf(
      await egress.send(get(receiver.url, { maxResponseBytes: 100_000 })),
    );
    expect(response).toMatchObject({ statusCode: 200, truncated: true, cut: false });
    expect(response.body).toEqual(Buffer.alloc(100_000));
    expect(egress.stats().connections).toBe(0);
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('does not change the status of the response', async () => {
    const step = { kind: 'respond', status: 500, body: 'x'.repeat(50) } as const;
    const receiver = await started(startReceiver(step));
    const response = responseOf(
      await openEgress().send(get(receiver.url, { maxResponseBytes: 10 })),
    );
    expect(response).toMatchObject({ statusCode: 500, truncated: true });
    expect(response.body.toString()).toBe('x'.repeat(10));
  });

  it.each([
    [4, 4, false],
    [4, 3, true],
    [1, 0, true],
    [0, 0, false],
  ])('of %i bytes with a limit of %i: truncated is %s', async (bytes, limit, truncated) => {
    const receiver = await started(startReceiver({ kind: 'respond', body: 'x'.repeat(bytes) }));
    const outcome = await openEgress().send(get(receiver.url, { maxResponseBytes: limit }));
    expect(responseOf(outcome)).toMatchObject({ truncated, body: Buffer.alloc(limit, 'x') });
  });
});

describe('a body that ends early', () => {
  it.each([
    ['a chunk, with a FIN', { kind: 'cut-body', ending: 'fin' }],
    ['a chunk, with a reset', { kind: 'cut-body', ending: 'reset' }],
    ['its length', { kind: 'wrong-length', announced: '1000', body: 'this chunk says' }],
    [
      'its length, on a connection to be closed',
      {
        kind: 'raw',
        data: 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nthis chunk says',
      },
    ],
    [
      'a chunk whose size is no number',
      {
        kind: 'raw',
        data: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\nthis chunk says\r\nzz\r\n',
      },
    ],
  ] as const)('inside %s is a response, marked as cut', async (_what, step) => {
    const receiver = await started(startReceiver(step));
    const response = responseOf(await openEgress().send(get(receiver.url)));
    expect(response).toMatchObject({ statusCode: 200, cut: true, truncated: false, resent: false });
    expect(response.body.toString()).toMatch(/^this chunk says/);
  });

  it('ignores bytes beyond its length', async () => {
    const step = { kind: 'wrong-length', announced: '4', body: 'body and more' } as const;
    const receiver = await started(startReceiver(step));
    const response = responseOf(await openEgress().send(get(receiver.url)));
    expect(response).toMatchObject({ statusCode: 200, cut: false });
    expect(response.body.toString()).toBe('body');
  });
});

it('too many informational responses are a failure', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(101);
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  const receiver = await started(startReceiver({ kind: 'raw', data: hints + ok }));
  const { reason, detail } = failureOf(await openEgress().send(get(receiver.url)));
  expect(reason).toBe('protocol');
  expect(detail).toContain('informational');
  await expect.poll(() => receiver.connectionsOpen).toBe(0);
});

describe('a head over the limit', () => {
  it('is a failure', async () => {
    const receiver = await started(startReceiver({ kind: 'huge-headers', bytes: 20_000 }));
    const { reason, detail } = failureOf(await openEgress().send(get(receiver.url)));
    expect(reason).toBe('too_large');
    expect(detail).toContain('127.0.0.1');
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('has a limit that can be set', async () => {
    const receiver = await started(startReceiver({ kind: 'huge-headers', bytes: 20_000 }));
    const egress = openEgress({ maxHeaderBytes: 40_000 });
    expect(responseOf(await egress.send(get(receiver.url))).statusCode).toBe(200);
  });

  it('cuts the body, and keeps the response, when it is in the trailers', async () => {
    const trailers = `x-huge: ${'x'.repeat(20_000)}`;
    const data = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n${trailers}\r\n\r\n`;
    const receiver = await started(startReceiver({ kind: 'raw', data }));
    const response = responseOf(await openEgress().send(get(receiver.url)));
    expect(response).toMatchObject({ statusCode: 200, cut: true, body: Buffer.from('body') });
  });
});

describe('bytes that are neither a header nor a body', () => {
  const mebibyte = 'x'.repeat(2 ** 20);

  it.each([
    ['a status line', `HTTP/1.1 200 ${mebibyte}`],
    ['the status line after a hint', `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 ${mebibyte}`],
    ['empty lines before a response', '\r\n'.repeat(2 ** 19)],
  ])('%s without end is a failure', async (_what, data) => {
    const receiver = await started(startReceiver({ kind: 'raw', data }));
    const { reason, detail } = failureOf(await openEgress().send(get(receiver.url)));
    expect(reason).toBe('too_large');
    expect(detail).toMatch(/^127\.0\.0\.1:\d+ sent more than 16384 bytes .* no end$/);
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('a chunk extension without end cuts the body, and the response is kept', async () => {
    const data = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n1;${mebibyte}`;
    const receiver = await started(startReceiver({ kind: 'raw', data }));
    const response = responseOf(await openEgress().send(get(receiver.url)));
    expect(response).toMatchObject({ statusCode: 200, cut: true, body: Buffer.from('body') });
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('many small chunks are a body, however much surrounds them', async () => {
    const chunks = '1;extension\r\nx\r\n'.repeat(16_384);
    const data = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
    const receiver = await started(startReceiver({ kind: 'raw', data }));
    const response = responseOf(await openEgress().send(get(receiver.url)));
    expect(response).toMatchObject({ truncated: false, cut: false });
    expect(response.body.length).toBe(16_384);
  });
});

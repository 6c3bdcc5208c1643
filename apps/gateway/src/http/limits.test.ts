import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { bodyOf, type RawConnection, rawConnection } from '../../test/raw-connection.js';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const mebibyte = 1_048_576;

const routes = [
  (app: App): void => {
    const config = { scope: 'public', application: 'none', audit: 'none' } as const;
    app.post<{ Body: { data: string } }>('/things', { config }, ({ body }) => ({
      length: body.data.length,
    }));
    app.get('/open', { config }, () => ({ open: true }));
    app.get('/long', { config }, () => 'x'.repeat(8 * mebibyte));
  },
];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Starts a server and returns its port. */
async function listening(environment: Record<string, string> = {}): Promise<number> {
  const { app } = await testServer(environment, { routes });
  cleanups.push(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

async function connected(port: number): Promise<RawConnection> {
  const connection = await rawConnection(port);
  cleanups.push(() => connection.close());
  return connection;
}

/** Returns JSON of exactly this number of bytes. */
function jsonOf(bytes: number): string {
  return JSON.stringify({ data: 'x'.repeat(bytes - '{"data":""}'.length) });
}

async function post(port: number, body: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/things`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return { status: response.status, text: await response.text() };
}

describe('the size of a body', () => {
  it('may be exactly 1 MiB', async () => {
    const port = await listening();
    const answer = await post(port, jsonOf(mebibyte));
    expect(answer).toEqual({ status: 200, text: `{"length":${mebibyte - 11}}` });
  });

  it.each([mebibyte + 1, 2 * mebibyte, 30 * mebibyte])('is refused at %i bytes', async (bytes) => {
    const port = await listening();
    const { status, text } = await post(port, jsonOf(bytes));
    expect(status).toBe(413);
    expect(JSON.parse(text)).toMatchObject({ code: 'REQUEST_TOO_LARGE', status: 413 });
  });

  it('is limited also without a Content-Length', async () => {
    const port = await listening();
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
    const request = httpRequest({ port, path: '/things', method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', () => resolve(undefined));
    request.end(jsonOf(mebibyte + 1));
    expect(await promise).toBe(413);
  });

  it('is set by POSTHASTE_BODY_LIMIT', async () => {
    const port = await listening({ POSTHASTE_BODY_LIMIT: '2048' });
    expect((await post(port, jsonOf(2_048))).status).toBe(200);
    expect((await post(port, jsonOf(2_049))).status).toBe(413);
  });

  it('is refused by its Content-Length before the body has arrived', async () => {
    const port = await listening();
    const connection = await connected(port);
    connection.write(
      'POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n',
    );
    connection.write(`Content-Length: ${1_000 * mebibyte}\r\n\r\n{`);
    expect(await connection.received).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('a slow client', () => {
  const quick = { POSTHASTE_HEADERS_TIMEOUT: '200ms', POSTHASTE_REQUEST_TIMEOUT: '400ms' };

  it('that never ends its headers is answered with 408 and disconnected', async () => {
    const connection = await connected(await listening(quick));
    connection.write('GET /open HTTP/1.1\r\nHost: localhost\r\n');
    const trickle = setInterval(() => connection.write('X-More: 1\r\n'), 50);
    cleanups.push(() => clearInterval(trickle));
    const answer = await connection.received;
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(bodyOf(answer)).toMatchObject({ code: 'REQUEST_TIMEOUT', status: 408 });
  });

  it('that never ends its body is answered with 408 and disconnected', async () => {
    const connection = await connected(await listening(quick));
    connection.write(
      'POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n',
    );
    connection.write('Content-Length: 1000\r\n\r\n{');
    const trickle = setInterval(() => connection.write(' '), 50);
    cleanups.push(() => clearInterval(trickle));
    expect(await connection.received).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('does not delay other clients', async () => {
    const port = await listening(quick);
    const slow = await Promise.all(Array.from({ length: 50 }, () => connected(port)));
    for (const connection of slow) connection.write('POST /things HTTP/1.1\r\n');
    expect((await post(port, '{"data":""}')).status).toBe(200);
    const answers = await Promise.all(slow.map((connection) => connection.received));
    expect(answers.every((answer) => answer.startsWith('HTTP/1.1 408 '))).toBe(true);
  });

  it('that does not read its answer is disconnected', async () => {
    const { app } = await testServer({ POSTHASTE_STALL_TIMEOUT: '1s' }, { routes });
    cleanups.push(() => app.close());
    await app.listen({ host: '127.0.0.1', port: 0 });
    const connection = await connected((app.server.address() as AddressInfo).port);
    connection.socket.pause();
    connection.write('GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const count = promisify(app.server.getConnections.bind(app.server));
    await sleep(800);
    expect(await count()).toBe(1);
    await expect.poll(() => count(), { timeout: 5_000 }).toBe(0);
  });

  it('that disconnects during its request is logged at level debug only', async () => {
    const { app, logs } = await testServer({}, { routes });
    cleanups.push(() => app.close());
    await app.listen({ host: '127.0.0.1', port: 0 });
    const connection = await connected((app.server.address() as AddressInfo).port);
    connection.write(
      'POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n',
    );
    connection.write('Content-Length: 1000\r\n\r\n{');
    await sleep(50);
    connection.close();
    await expect.poll(() => logs.length).toBe(2);
    expect(logs.every(({ level, code }) => level === 'debug' && code === 'REQUEST_MALFORMED')).toBe(
      true,
    );
  });
});

describe('headers', () => {
  it('over the limit are answered with 431', async () => {
    const connection = await connected(await listening({ POSTHASTE_HEADER_LIMIT: '1024' }));
    connection.write(
      `GET /open HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(2_000)}\r\n\r\n`,
    );
    const answer = await connection.received;
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(bodyOf(answer)).toMatchObject({ code: 'HEADERS_TOO_LARGE', status: 431 });
  });

  it.each([
    'this is not HTTP\r\n\r\n',
    'GET /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'GET /open HTTP/1.1\r\nHost: localhost\r\nBad Header: 1\r\n\r\n',
  ])('that are not HTTP are answered with 400: %j', async (text) => {
    const connection = await connected(await listening());
    connection.write(text);
    const answer = await connection.received;
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(bodyOf(answer)).toMatchObject({ code: 'REQUEST_MALFORMED', status: 400 });
  });
});

describe('the Host header', () => {
  it.each(['Host', 'HOST'])('must not come twice (%s)', async (name) => {
    const connection = await connected(await listening());
    connection.write(`GET /open HTTP/1.1\r\nHost: localhost\r\nX: 1\r\n${name}: other\r\n\r\n`);
    const answer = await connection.received;
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(bodyOf(answer)).toMatchObject({ code: 'REQUEST_MALFORMED', status: 400 });
  });
});

describe('connections', () => {
  it('are kept open for POSTHASTE_KEEP_ALIVE_TIMEOUT', async () => {
    const port = await listening({ POSTHASTE_KEEP_ALIVE_TIMEOUT: '5s' });
    const response = await fetch(`http://127.0.0.1:${port}/open`);
    expect(response.headers.get('keep-alive')).toContain('timeout=5');
  });

  it('over the limit are closed at once', async () => {
    const port = await listening({ POSTHASTE_MAX_CONNECTIONS: '2' });
    await connected(port);
    await connected(port);
    const third = await connected(port);
    expect(await third.received).toBe('');
  });

  const open = (address: string, port: number) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: address });
    cleanups.push(() => socket.destroy());
    socket.on('error', () => undefined);
    return socket;
  };
  const isServed = async (address: string, port: number): Promise<boolean> => {
    const socket = open(address, port);
    socket.write('GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const served = once(socket, 'data').then(() => true);
    return Promise.race([served, once(socket, 'close').then(() => false)]);
  };

  // Only Linux has all addresses of 127.0.0.0/8.
  it.runIf(process.platform === 'linux')('are limited for each address', async () => {
    const port = await listening({ POSTHASTE_MAX_CONNECTIONS_PER_ADDRESS: '2' });
    expect(await isServed('127.0.0.2', port)).toBe(true);
    const second = open('127.0.0.2', port);
    await once(second, 'connect');
    expect(await isServed('127.0.0.2', port)).toBe(false);
    expect(await isServed('127.0.0.3', port)).toBe(true);
    second.destroy();
    await expect.poll(() => isServed('127.0.0.2', port)).toBe(true);
  });

  it('of a trusted proxy are not limited by its address', async () => {
    const port = await listening({
      POSTHASTE_MAX_CONNECTIONS_PER_ADDRESS: '1',
      POSTHASTE_TRUSTED_PROXIES: '127.0.0.0/8',
    });
    for (let i = 0; i < 3; i += 1) expect(await isServed('127.0.0.1', port)).toBe(true);
  });
});

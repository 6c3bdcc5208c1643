import { freePort, type Step, startReceiver, startTcpServer } from '@posthaste/testbed';
import { describe, expect, it } from 'vitest';
import { failureOf, get, openEgress, responseOf, started } from '../test/sending.js';
import { toFailure } from './failure.js';

describe('the reason of a failure', () => {
  it('is dns for a name that does not resolve', async () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    const egress = openEgress({}, { resolve: () => Promise.reject(error) });
    const outcome = await egress.send(get('http://nowhere.test/secret?token=secret'));
    expect(failureOf(outcome)).toMatchObject({
      reason: 'dns',
      detail: 'the name of nowhere.test could not be resolved (ENOTFOUND)',
    });
  });

  it('is dns for a name that the operating system does not know', async () => {
    const outcome = await openEgress().send(get('http://nowhere.invalid/'));
    expect(failureOf(outcome).reason).toBe('dns');
  });

  it('is refused when no server listens', async () => {
    const port = await freePort();
    const outcome = await openEgress().send(get(`http://127.0.0.1:${port}/secret?token=secret`));
    expect(failureOf(outcome)).toMatchObject({
      reason: 'refused',
      detail: `no connection to 127.0.0.1:${port} could be made (ECONNREFUSED)`,
    });
  });

  it('is refused when no server listens at any of the addresses of a name', async () => {
    const resolve = async () => [
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.2', family: 4 },
    ];
    const egress = openEgress({}, { allowLoopback: true, resolve });
    const outcome = await egress.send(get(`http://two.test:${await freePort()}/`));
    expect(failureOf(outcome).reason).toBe('refused');
  });

  it.each([
    ['closes', { kind: 'close' }],
    ['resets', { kind: 'reset' }],
  ] as const)('is reset when the server %s the connection', async (_what, step) => {
    const receiver = await started(startReceiver(step));
    const outcome = await openEgress().send(get(receiver.url));
    expect(failureOf(outcome)).toMatchObject({ reason: 'reset', resent: false });
    expect(receiver.count).toBe(1);
  });

  it.each<[string, Step]>([
    ['is not HTTP', { kind: 'raw', data: 'SSH-2.0-OpenSSH_9.9\r\n' }],
    ['has no proper length', { kind: 'wrong-length', announced: 'many', body: '' }],
    ['has two lengths', raw('Content-Length: 1\r\nContent-Length: 2\r\n\r\nx')],
    ['has length and chunks', raw('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx')],
    ['has a folded header', raw('a: b\r\n\tc: d\r\n x\0y\r\n\r\n')],
    ['ends inside its head', raw('Content-Le')],
  ])('is protocol when the response %s', async (_what, step) => {
    const receiver = await started(startReceiver(step));
    const egress = openEgress();
    expect(failureOf(await egress.send(get(receiver.url)))).toMatchObject({
      reason: 'protocol',
      detail: expect.stringContaining(
        `the response of 127.0.0.1:${receiver.port} is not valid HTTP/1.1`,
      ),
      permanent: false,
    });
    expect(egress.stats().connections).toBe(0);
  });

  it('says that a response is an upgrade', async () => {
    const receiver = await started(startReceiver({ kind: 'raw', data: upgradeTo('websocket') }));
    const egress = openEgress();
    expect(failureOf(await egress.send(get(receiver.url)))).toMatchObject({
      reason: 'protocol',
      detail: `127.0.0.1:${receiver.port} switched to another protocol (status 101), although the request did not ask for it`,
      permanent: false,
    });
    expect(egress.stats().connections).toBe(0);
  });

  it('says what is wrong with a response', async () => {
    const receiver = await started(startReceiver({ kind: 'raw', data: 'SSH-2.0-OpenSSH\r\n' }));
    const { detail } = failureOf(await openEgress().send(get(receiver.url)));
    expect(detail).toMatch(/is not valid HTTP\/1.1: .*Expected HTTP/);
  });

  it('is protocol when the server sends something before the request', async () => {
    const server = await started(
      startTcpServer((socket) => socket.write('220 smtp.test ESMTP\r\n')),
    );
    const outcome = await openEgress().send(get(`http://${server.address}/`));
    expect(failureOf(outcome)).toMatchObject({
      reason: 'protocol',
      detail: expect.stringContaining(`the response of ${server.address} is not valid HTTP/1.1`),
      permanent: false,
    });
  });

  it('is protocol when the parser of a response gives up, without a line of its source', () => {
    const error = Object.assign(new Error('assert(x)'), { code: 'ERR_ASSERTION' });
    const failure = toFailure(error, { host: 'example.com', phase: 'open', isResponding: true });
    expect(failure).toEqual({
      reason: 'protocol',
      detail: 'the response of example.com is not valid HTTP/1.1: the parser gave up',
      permanent: false,
    });
  });

  it('is unknown for an error without a reason of its own', () => {
    const error = Object.assign(new Error('secret'), { code: 'ENEW' });
    const failure = toFailure(error, { host: 'example.com', phase: 'open', isResponding: false });
    expect(failure).toEqual({
      reason: 'unknown',
      detail: 'the request to example.com failed (ENEW)',
      permanent: false,
    });
  });
});

describe('TLS', () => {
  it('fails with a self-signed certificate that is not trusted', async () => {
    const receiver = await started(startReceiver(200, { tls: true }));
    const outcome = await openEgress().send(get(receiver.url));
    expect(failureOf(outcome)).toMatchObject({
      reason: 'tls',
      detail: `the TLS handshake with 127.0.0.1:${receiver.port} failed (DEPTH_ZERO_SELF_SIGNED_CERT)`,
    });
    expect(receiver.count).toBe(0);
  });

  it('works with a certificate that is trusted, by address and by name', async () => {
    const receiver = await started(startReceiver(200, { tls: true }));
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    const guard = { allowLoopback: true, resolve };
    const egress = openEgress({ ca: [receiver.certificate ?? ''] }, guard);
    const urls = [receiver.url, `https://localhost:${receiver.port}/`];
    for (const url of urls) expect(responseOf(await egress.send(get(url))).statusCode).toBe(200);
    // Again on new connections, which resume the TLS session of the first.
    receiver.follow({ kind: 'respond', headers: { connection: 'close' } });
    for (const url of [...urls, ...urls, ...urls]) {
      expect(responseOf(await egress.send(get(url))).statusCode).toBe(200);
    }
    expect(receiver.connectionsOpened).toBeGreaterThan(3);
  });

  it('fails with a trusted certificate for another name', async () => {
    const receiver = await started(startReceiver(200, { tls: true }));
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    const guard = { allowLoopback: true, resolve };
    const egress = openEgress({ ca: [receiver.certificate ?? ''] }, guard);
    const outcome = await egress.send(get(`https://other.test:${receiver.port}/`));
    expect(failureOf(outcome)).toMatchObject({
      reason: 'tls',
      detail: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
    expect(receiver.count).toBe(0);
  });

  it('fails with a server that speaks plain HTTP', async () => {
    const receiver = await started(startReceiver());
    const outcome = await openEgress().send(get(`https://127.0.0.1:${receiver.port}/`));
    expect(failureOf(outcome).reason).toBe('tls');
  });

  it('is reset when the server resets the connection during the handshake', async () => {
    const server = await started(startTcpServer((socket) => socket.resetAndDestroy()));
    const outcome = await openEgress().send(get(`https://${server.address}/`));
    expect(failureOf(outcome).reason).toBe('reset');
  });
});

function raw(rest: string): Step {
  return { kind: 'raw', data: `HTTP/1.1 200 OK\r\n${rest}` };
}

function upgradeTo(protocol: string): string {
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
}

import { connect } from 'node:net';
import { startReceiver, startTcpServer } from '@posthaste/testbed';
import { describe, expect, it } from 'vitest';
import { failureOf, get, openEgress, responseOf, started } from '../test/sending.js';
import { startUnacceptingServer } from '../test/unaccepting-server.js';
import { ConnectionPool } from './connection-pool.js';
import { Exchange } from './exchange.js';
import type { EgressOutcome } from './outcome.js';

const timeoutMs = 200;

describe('the deadline', () => {
  it('covers the lookup of the name', async () => {
    const resolve = (): Promise<never> => new Promise(() => undefined);
    const egress = openEgress({}, { resolve });
    const outcome = await egress.send(get('http://never.test/', { timeoutMs }));
    expectTimeout(outcome, 'looking up the name of never.test');
    expect(egress.stats()).toMatchObject({ connections: 0, origins: 0 });
  });

  it('covers the connect', async () => {
    const server = await started(startUnacceptingServer());
    const egress = openEgress();
    const outcome = await egress.send(get(`http://127.0.0.1:${server.port}/`, { timeoutMs }));
    expectTimeout(outcome, 'connecting to 127.0.0.1');
  });

  it('covers the TLS handshake', async () => {
    const closed = Promise.withResolvers<void>();
    const server = await started(startTcpServer((socket) => socket.on('close', closed.resolve)));
    const outcome = await openEgress().send(get(`https://${server.address}/`, { timeoutMs }));
    expectTimeout(outcome, 'doing the TLS handshake with 127.0.0.1');
    await closed.promise;
  });

  it('covers the wait for the response, and closes the socket', async () => {
    const receiver = await started(startReceiver({ kind: 'hang' }));
    const outcome = await openEgress().send(get(receiver.url, { timeoutMs }));
    expectTimeout(outcome, 'waiting for the response of 127.0.0.1');
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('covers the head, however slowly it trickles', async () => {
    const receiver = await started(startReceiver({ kind: 'slow-head', everyMs: 20 }));
    const outcome = await openEgress().send(get(receiver.url, { timeoutMs }));
    expectTimeout(outcome, 'waiting for the response of 127.0.0.1');
  });

  it('covers an endless wait after an informational response', async () => {
    const receiver = await started(
      startReceiver({
        kind: 'informational',
        status: 102,
        final: {
          kind: 'respond',
          status: 102,
        },
      }),
    );
    const outcome = await openEgress().send(get(receiver.url, { timeoutMs }));
    expectTimeout(outcome, 'waiting for the response of 127.0.0.1');
  });

  it('covers the body: the response counts, with the part of the body that arrived', async () => {
    const trickle = { kind: 'trickle', body: 'x'.repeat(1_000), everyMs: 10 } as const;
    const receiver = await started(startReceiver(trickle));
    const response = responseOf(await openEgress().send(get(receiver.url, { timeoutMs })));
    expect(response).toMatchObject({ statusCode: 200, cut: true, truncated: false });
    expect(response.body.toString()).toMatch(/^x{1,40}$/);
    expectOnTime(response.durationNs);
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('covers the wait for a free connection', async () => {
    const receiver = await started(startReceiver({ kind: 'hang' }));
    const egress = openEgress({ maxConnectionsPerOrigin: 1 });
    const first = egress.send(get(receiver.url, { timeoutMs: 2 * timeoutMs }));
    const second = await egress.send(get(receiver.url, { timeoutMs }));
    expectTimeout(second, 'waiting for a free connection to 127.0.0.1');
    expect(egress.stats()).toMatchObject({ exchanges: 1, waiting: 0, connections: 1 });
    expect(failureOf(await first).reason).toBe('timeout');
    expect(egress.stats()).toMatchObject({ exchanges: 0, origins: 0, connections: 0 });
  });

  it('covers a request body that the server does not read', async () => {
    const server = await started(startTcpServer((socket) => socket.pause()));
    const body = Buffer.alloc(16 * 1024 * 1024);
    const request = get(`http://${server.address}/`, { method: 'POST', body, timeoutMs });
    const outcome = await openEgress().send(request);
    expectTimeout(outcome, 'waiting for the response of 127.0.0.1');
  });

  it('is the same for both sends when the request is sent again', async () => {
    // The first connection responds once and is then reset; the second one hangs.
    const hang = { kind: 'hang' } as const;
    const receiver = await started(startReceiver([200, { kind: 'reset', delayMs: 20 }, hang]));
    const egress = openEgress();
    await egress.send(get(receiver.url));
    const outcome = await egress.send(get(receiver.url, { timeoutMs }));
    expectTimeout(outcome, 'waiting for the response of 127.0.0.1');
    expect(outcome.resent).toBe(true);
  });

  it.each([0, -1, Number.NaN])('of %d ms passes at once', async (nothing) => {
    const receiver = await started(startReceiver({ kind: 'hang' }));
    const outcome = await openEgress().send(get(receiver.url, { timeoutMs: nothing }));
    expect(failureOf(outcome).reason).toBe('timeout');
  });

  it('stops a request that was not written before a stopped process goes on', async () => {
    const receiver = await started(startReceiver());
    const { origin, hostname } = new URL(receiver.url);
    const pool = new ConnectionPool({
      dial: ({ hostname, port }, { onPhase, onOpen }) => {
        const socket = connect({ host: hostname, port: Number(port) });
        socket.once('connect', () => {
          // Sockets are served before timers: as after SIGCONT, the timer of the deadline fires too late.
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, timeoutMs + 50);
          onPhase('open');
          onOpen(socket);
        });
        return socket;
      },
      maxConnectionsPerOrigin: 1,
      maxIdleConnections: 1,
      maxHeaderBytes: 1_024,
      keepAliveMs: 1_000,
    });
    const outcome = await new Promise<EgressOutcome>((resolve) => {
      const request = get(origin, { timeoutMs });
      const target = { origin, hostname, host: hostname, path: '/' };
      pool.submit(new Exchange({ request, target, headers: [], pool, onSettled: resolve }));
    });
    expectTimeout(outcome, 'waiting for the response of 127.0.0.1');
    await pool.close(0, { reason: 'unknown', detail: 'closed', permanent: false });
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
    expect(receiver.count).toBe(0);
  });

  it('may be longer than the longest timer', async () => {
    const receiver = await started(startReceiver({ kind: 'respond', delayMs: 50 }));
    const outcome = await openEgress().send(get(receiver.url, { timeoutMs: 2 ** 40 }));
    expect(responseOf(outcome).statusCode).toBe(200);
  });
});

function expectTimeout(outcome: EgressOutcome, activity: string): void {
  const { reason, detail, durationNs } = failureOf(outcome);
  expect(reason).toBe('timeout');
  expect(detail).toContain(`no response within ${timeoutMs} ms; timed out while ${activity}`);
  expectOnTime(durationNs);
}

function expectOnTime(durationNs: bigint): void {
  const tookMs = Number(durationNs / 1_000_000n);
  expect(tookMs).toBeGreaterThanOrEqual(timeoutMs - 2);
  expect(tookMs).toBeLessThan(timeoutMs + 1_000);
}

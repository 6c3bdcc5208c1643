import { type ReceivedRequest, type Step, startReceiver } from '@posthaste/testbed';
import { describe, expect, it } from 'vitest';
import { failureOf, get, openEgress, post, responseOf, started } from '../test/sending.js';
import { createAddressGuard, createEgress } from './index.js';

describe('connections', () => {
  it('are used again, one request at a time', async () => {
    const receiver = await started(startReceiver());
    const egress = openEgress();
    for (let i = 0; i < 5; i++) await egress.send(post(receiver.url, 'x'));
    expect(receiver.connectionsOpened).toBe(1);
    expect(egress.stats()).toEqual({
      exchanges: 0,
      waiting: 0,
      origins: 1,
      connections: 1,
      idleConnections: 1,
    });
  });

  it('are limited for each origin, and further requests wait in order', async () => {
    const receiver = await started(startReceiver({ kind: 'respond', delayMs: 20 }));
    const egress = openEgress({ maxConnectionsPerOrigin: 3 });
    const paths = Array.from({ length: 12 }, (_, index) => `/${index}`);
    const sends = paths.map((path) => egress.send(get(receiver.url + path)));
    expect(egress.stats()).toMatchObject({ exchanges: 12, waiting: 9, connections: 3 });
    const outcomes = await Promise.all(sends);
    expect(outcomes.map((outcome) => responseOf(outcome).statusCode)).toEqual(paths.map(() => 200));
    expect(receiver.peakInFlight).toBe(3);
    expect(receiver.connectionsOpened).toBe(3);
    const waves = receiver.requests.map(({ path }) => Math.floor(Number(path.slice(1)) / 3));
    expect(waves).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
  });

  it('are replaced for waiting requests when they fail', async () => {
    const receiver = await started(startReceiver({ kind: 'reset', delayMs: 5 }));
    const egress = openEgress({ maxConnectionsPerOrigin: 2 });
    const sends = Array.from({ length: 10 }, () => egress.send(get(receiver.url)));
    const reasons = (await Promise.all(sends)).map((outcome) => failureOf(outcome).reason);
    expect(reasons).toEqual(Array.from({ length: 10 }, () => 'reset'));
    expect(egress.stats()).toMatchObject({ exchanges: 0, connections: 0, origins: 0 });
  });

  it('survive thousands of waiting requests that cannot be sent', async () => {
    const receiver = await started(startReceiver({ kind: 'respond', delayMs: 50 }));
    const egress = openEgress({ maxConnectionsPerOrigin: 1 });
    const first = egress.send(get(receiver.url));
    const invalid = get(receiver.url, { headers: [['x', 'a\nb']] });
    const rest = await Promise.all(Array.from({ length: 5_000 }, () => egress.send(invalid)));
    expect(new Set(rest.map((outcome) => failureOf(outcome).reason))).toEqual(
      new Set(['protocol']),
    );
    expect(responseOf(await first).statusCode).toBe(200);
  });

  it('are closed when they have been idle for long', async () => {
    const receiver = await started(startReceiver());
    const egress = openEgress({ keepAliveMs: 50 });
    await egress.send(get(receiver.url));
    expect(egress.stats().connections).toBe(1);
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
    expect(egress.stats()).toMatchObject({ connections: 0, idleConnections: 0, origins: 0 });
    expect(responseOf(await egress.send(get(receiver.url))).resent).toBe(false);
  });

  it('are opened anew for a server that closes each of them', async () => {
    const step = { kind: 'respond', headers: { connection: 'close' } } as const;
    const receiver = await started(startReceiver(step));
    const egress = openEgress({ maxConnectionsPerOrigin: 2 });
    const sends = Array.from({ length: 20 }, () => egress.send(post(receiver.url, 'x')));
    for (const outcome of await Promise.all(sends)) expect(responseOf(outcome).resent).toBe(false);
    expect(receiver.connectionsOpened).toBe(20);
    await expect.poll(() => egress.stats().connections).toBe(0);
  });

  it('stay few over thousands of hosts', async () => {
    const receiver = await started(startReceiver());
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    const limits = { maxIdleConnections: 20 };
    const egress = openEgress(limits, { allowLoopback: true, resolve });
    const hosts = Array.from({ length: 2_000 }, (_, index) => `host-${index}.test`);
    const sendToNext = async (): Promise<void> => {
      for (let host = hosts.pop(); host !== undefined; host = hosts.pop()) {
        responseOf(await egress.send(get(`http://${host}:${receiver.port}/`)));
      }
    };
    await Promise.all(Array.from({ length: 50 }, sendToNext));
    expect(receiver.connectionsOpened).toBe(2_000);
    expect(egress.stats()).toMatchObject({ origins: 20, connections: 20, idleConnections: 20 });
    await expect.poll(() => receiver.connectionsOpen).toBe(20);
  });
});

describe('a request on a reused connection', () => {
  const resetOnReuse = createResetOnReuse({ kind: 'reset' });

  it.each([
    ['reset', { kind: 'reset' }],
    ['closed', { kind: 'close' }],
  ] as const)(
    'is sent once more when the connection is %s before the response',
    async (_what, step) => {
      const receiver = await started(startReceiver(createResetOnReuse(step)));
      const egress = openEgress();
      const first = responseOf(await egress.send(post(receiver.url, '1')));
      const second = responseOf(await egress.send(post(receiver.url, '2')));
      expect([first.resent, second.resent]).toEqual([false, true]);
      expect(second.statusCode).toBe(200);
      const arrived = receiver.requests.map(({ body, connection }) => [String(body), connection]);
      expect(arrived).toEqual([
        ['1', 1],
        ['2', 1],
        ['2', 2],
      ]);
      expect(egress.stats()).toMatchObject({ connections: 1, idleConnections: 1 });
    },
  );

  it('is sent again before the requests that wait', async () => {
    const receiver = await started(startReceiver(resetOnReuse));
    const egress = openEgress({ maxConnectionsPerOrigin: 1 });
    const bodies = ['1', '2', '3'];
    const outcomes = await Promise.all(bodies.map((body) => egress.send(post(receiver.url, body))));
    expect(outcomes.map(({ resent }) => resent)).toEqual([false, true, true]);
    const arrived = receiver.requests.map(({ body }) => String(body));
    expect(arrived).toEqual(['1', '2', '2', '3', '3']);
    expect(receiver.peakInFlight).toBe(1);
  });

  it('is not sent a third time', async () => {
    const receiver = await started(startReceiver([200, { kind: 'reset' }]));
    const egress = openEgress();
    await egress.send(get(receiver.url));
    const failure = failureOf(await egress.send(get(receiver.url)));
    expect(failure).toMatchObject({ reason: 'reset', resent: true });
    expect(receiver.count).toBe(3);
  });

  it('is not sent again after the first byte of the response', async () => {
    const half = { kind: 'raw', data: 'HTTP/1.1 2', ending: 'reset' } as const;
    const receiver = await started(startReceiver([200, half]));
    const egress = openEgress();
    await egress.send(get(receiver.url));
    expect(failureOf(await egress.send(get(receiver.url))).resent).toBe(false);
    expect(receiver.count).toBe(2);
  });

  it('is not sent again on a socket that was opened anew in between', async () => {
    const close = { kind: 'respond', headers: { connection: 'close' } } as const;
    const receiver = await started(startReceiver([close, { kind: 'reset' }]));
    const egress = openEgress({ maxConnectionsPerOrigin: 1 });
    // The second request is given to the connection before its socket has closed.
    const sends = [egress.send(get(receiver.url)), egress.send(get(receiver.url))];
    const [first, second] = await Promise.all(sends);
    expect(first).toMatchObject({ statusCode: 200 });
    expect(second).toMatchObject({ reason: 'reset', resent: false });
    expect(receiver.count).toBe(2);
  });
});

describe('close', () => {
  it('waits for running and waiting requests, and refuses new ones', async () => {
    const receiver = await started(startReceiver({ kind: 'respond', delayMs: 50 }));
    const egress = openEgress({ maxConnectionsPerOrigin: 1, closeTimeoutMs: 5_000 });
    const sends = [1, 2].map(() => egress.send(get(receiver.url)));
    const closing = egress.close();
    const late = failureOf(await egress.send(get(receiver.url)));
    expect(late).toMatchObject({
      reason: 'unknown',
      detail: 'the HTTP client was closed before the request ended',
    });
    for (const outcome of await Promise.all(sends)) expect(outcome.kind).toBe('response');
    await closing;
    await egress.close();
    expect(egress.stats()).toMatchObject({ exchanges: 0, connections: 0, origins: 0 });
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('ends the requests that do not settle within its time limit', async () => {
    const receiver = await started(startReceiver({ kind: 'hang' }));
    const egress = openEgress({ maxConnectionsPerOrigin: 1, closeTimeoutMs: 50 });
    const sends = [1, 2].map(() => egress.send(get(receiver.url)));
    await egress.close();
    for (const outcome of await Promise.all(sends)) {
      expect(failureOf(outcome).detail).toBe('the HTTP client was closed before the request ended');
    }
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('leaves no socket and no timer behind after a thousand sends', async () => {
    const steps: Step[] = [200, 503, { kind: 'reset' }, { kind: 'hang' }, { kind: 'close' }];
    let next = 0;
    const receiver = await started(startReceiver(() => steps[next++ % steps.length] ?? 200));
    const before = activeResources();
    const guard = createAddressGuard({ allowLoopback: true });
    const egress = createEgress({ guard, closeTimeoutMs: 1_000 });
    const outcomes = await Promise.all(
      Array.from({ length: 1_000 }, () => egress.send(get(receiver.url, { timeoutMs: 500 }))),
    );
    expect(outcomes).toHaveLength(1_000);
    await egress.close();
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
    const after = activeResources();
    expect(after.sockets).toBe(0);
    expect(after.timers).toBeLessThanOrEqual(before.timers);
  });
});

/** Answers the first request of each connection with 200, and later ones with the given step. */
function createResetOnReuse(step: Step): (request: ReceivedRequest) => Step {
  const seen = new Set<number>();
  return ({ connection }) => {
    if (seen.has(connection)) return step;
    seen.add(connection);
    return 200;
  };
}

/** Counts the client sockets and timers of this process. */
function activeResources(): { sockets: number; timers: number } {
  const count = (type: string): number =>
    process.getActiveResourcesInfo().filter((name) => name === type).length;
  return { sockets: count('TCPSocketWrap'), timers: count('Timeout') };
}

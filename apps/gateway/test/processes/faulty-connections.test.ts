import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createApiKeyConfig, type SubscriptionMessage } from '@posthaste/appsync-client';
import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  type GatewayProcess,
  type GatewayProcesses,
  openGatewayProcesses,
} from './gateway-processes.js';
import { RawSocket } from './raw-socket.js';
import { startSwallowingProxy } from './swallowing-proxy.js';

const wait = { timeout: 120_000, interval: 50 };

// Much is on its way here, and other tests run beside it.
vi.setConfig({ testTimeout: 240_000 });

/** Clock that makes the client's minutes seconds. */
const clockSpeed = 30;

describeWithPostgres('connections of a gateway process that fail', () => {
  let database: TestDatabase;
  let gateways: GatewayProcesses;
  let gateway: GatewayProcess;
  let key: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    gateways = await openGatewayProcesses(database);
    gateway = await gateways.start({
      POSTHASTE_REALTIME_DRAIN: '5s',
      POSTHASTE_STOP_TIMEOUT: '20s',
    });
    ({ key } = gateways);
  });
  afterAll(async () => {
    await gateways?.close();
    await database?.drop();
  });

  it('half open ones are noticed on both sides, and the client comes back and misses nothing', async () => {
    const attentive = await gateways.start({ POSTHASTE_REALTIME_KEEP_ALIVE: '1s' });
    const name = 'posthaste_realtime_connections';
    const connections = () => attentive.metric(gateways.metricsKey, name);
    const proxy = await startSwallowingProxy(attentive.port);
    const config = createApiKeyConfig(`http://127.0.0.1:${proxy.port}/event`, undefined, key);
    const startedAt = performance.now();
    const states: string[] = [];
    const messages: SubscriptionMessage[] = [];
    const client = await connect(config, {
      extensions: ['resume'],
      onState: (state) => states.push(state),
      clock: {
        now: () => (performance.now() - startedAt) * clockSpeed,
        setTimeout: (run, ms) => setTimeout(run, ms / clockSpeed),
        clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
      },
    });
    await client.subscribe('/default/half', { onMessage: (message) => messages.push(message) })
      .ready;
    expect(await connections()).toBe(1);
    // The client knows the interval of the server after two of its frames.
    await sleep(2_500);
    proxy.swallow();
    expect(await attentive.post(key, '/default/half', ['"lost"'])).toBe(200);
    await expect.poll(() => states, wait).toEqual(['open', 'reconnecting', 'open']);
    await expect.poll(connections, wait).toBe(1);
    expect(await attentive.post(key, '/default/half', ['"live"'])).toBe(200);
    await expect.poll(() => messages.length, wait).toBe(2);
    expect(messages.map(({ event }) => event)).toEqual(['"lost"', '"live"']);
    client.close();
    await proxy.close();
  });

  it('slow ones are closed with 1013 in bounded memory, and others lose nothing', async () => {
    const events = 4_000;
    const eventsPerPublish = 5;
    const text = 'x'.repeat(4_000);
    const open = async (): Promise<RawSocket> => {
      const socket = await RawSocket.open(gateway.port, key);
      expect(await socket.subscribe('/loose/much')).toMatchObject({ type: 'subscribe_success' });
      return socket;
    };
    const stalled = await Promise.all(Array.from({ length: 20 }, open));
    const readers = await Promise.all(Array.from({ length: 5 }, open));
    const received = readers.map(() => [] as number[]);
    for (const [index, reader] of readers.entries()) {
      reader.onFrame = ({ type, event }) => {
        if (type === 'data') received[index]?.push(JSON.parse(String(event)).n);
      };
    }
    const before = await gateway.memory();
    for (const { socket } of stalled) socket.pause();
    for (let n = 0; n < events; n += eventsPerPublish) {
      const batch = Array.from({ length: eventsPerPublish }, (_, index) =>
        JSON.stringify({ n: n + index, text }),
      );
      expect(await gateway.post(key, '/loose/much', batch)).toBe(200);
    }
    const all = Array.from({ length: events }, (_, n) => n);
    await expect
      .poll(() => received.map(({ length }) => length), wait)
      .toEqual(readers.map(() => events));
    for (const numbers of received) expect(numbers).toEqual(all);
    const slow = 'posthaste_realtime_slow_consumers_total';
    expect(await gateway.metric(gateways.metricsKey, slow)).toBe(20);
    // 2 MiB may wait for each of the stalled.
    expect((await gateway.memory()).peakMib).toBeLessThan(before.peakMib + 150);
    for (const { socket } of stalled) socket.resume();
    await expect
      .poll(() => stalled.map(({ closed }) => closed?.code), wait)
      .toEqual(stalled.map(() => 1013));
    for (const socket of readers) socket.close();
  });

  it('while the gateway drains, publishes are answered and reach other gateways', async () => {
    const other = await gateways.start();
    const received: string[] = [];
    const reader = await other.connect(key);
    const onMessage = ({ event }: SubscriptionMessage) => received.push(event);
    await reader.subscribe('/default/drain', { onMessage }).ready;
    const publishers = await Promise.all(
      Array.from({ length: 20 }, () => RawSocket.open(gateway.port, key)),
    );
    const answered: string[] = [];
    const errors: unknown[] = [];
    let answeredWhileDraining = 0;
    const publishAll = publishers.map(async (publisher, index) => {
      for (let n = 0; !publisher.closed; n += 1) {
        const event = JSON.stringify(`${index}-${n}`);
        const answer = await publisher.publish('/default/drain', [event]);
        if (answer.type === 'publish_success') {
          answered.push(event);
          if (publishers.some(({ closed }) => closed)) answeredWhileDraining += 1;
        } else if (answer.type !== 'closed') errors.push(answer);
        await sleep(60);
      }
    });
    await expect.poll(() => answered.length, wait).toBeGreaterThan(40);
    const stopped = gateway.stop();
    await Promise.all(publishAll);
    expect(await stopped).toEqual({ code: 0, signal: null });
    expect(errors).toEqual([]);
    expect(answeredWhileDraining).toBeGreaterThan(20);
    expect(publishers.map(({ closed }) => closed?.code)).toEqual(publishers.map(() => 1001));
    await expect
      .poll(() => answered.filter((event) => !received.includes(event)), wait)
      .toEqual([]);
    expect(new Set(received).size).toBe(received.length);
  });
});

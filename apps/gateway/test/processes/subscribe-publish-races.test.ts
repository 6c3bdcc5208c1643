import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  type GatewayProcess,
  type GatewayProcesses,
  openGatewayProcesses,
} from './gateway-processes.js';
import { RawSocket } from './raw-socket.js';

const races = 3_000;
/** A connection may have 200. */
const racesPerConnection = 150;
/** Publishes of one connection: as many may begin in a second. */
const publishesPerConnection = 20;
const wait = { timeout: 120_000, interval: 50 };

vi.setConfig({ testTimeout: 240_000 });

/** Gateways of a race: of the subscriber and of the publisher. */
interface Race {
  readonly namespace: string;
  readonly subscribing: GatewayProcess;
  readonly publishing: GatewayProcess;
}

describeWithPostgres('an event that is published right after subscribe_success', () => {
  let database: TestDatabase;
  let gateways: GatewayProcesses;
  let one: GatewayProcess;
  let two: GatewayProcess;

  beforeAll(async () => {
    database = await createTestDatabase();
    gateways = await openGatewayProcesses(database);
    [one, two] = await Promise.all([gateways.start(), gateways.start()]);
  });
  afterAll(async () => {
    await gateways?.close();
    await database?.drop();
  });

  const openSockets = (gateway: GatewayProcess, count: number): Promise<RawSocket[]> =>
    Promise.all(Array.from({ length: count }, () => RawSocket.open(gateway.port, gateways.key)));

  /** Runs the races, and returns how many subscribers got their event 0 times, once, … */
  async function run({ namespace, subscribing, publishing }: Race): Promise<number[]> {
    const { key } = gateways;
    const subscribers = await openSockets(subscribing, races / racesPerConnection);
    const publishers = await openSockets(publishing, races / 2 / publishesPerConnection);
    const received = new Map<string, number>();
    for (const subscriber of subscribers) {
      subscriber.onFrame = ({ type, event }) => {
        if (type === 'data') received.set(String(event), (received.get(String(event)) ?? 0) + 1);
      };
    }
    const race = async (index: number): Promise<void> => {
      const channel = `/${namespace}/race-${index}`;
      const event = JSON.stringify(channel);
      const subscriber = subscribers[index % subscribers.length];
      expect(await subscriber?.subscribe(channel)).toMatchObject({ type: 'subscribe_success' });
      if (index % 2 === 0) expect(await publishing.post(key, channel, [event])).toBe(200);
      else {
        const publisher = publishers[(index >> 1) % publishers.length];
        const answer = await publisher?.publish(channel, [event]);
        expect(answer).toMatchObject({ type: 'publish_success' });
      }
    };
    await Promise.all(Array.from({ length: races }, (_, index) => race(index)));
    await expect.poll(() => received.size, wait).toBe(races);
    for (const socket of [...subscribers, ...publishers]) socket.close();
    const counts: number[] = [];
    for (const count of received.values()) counts[count] = (counts[count] ?? 0) + 1;
    return counts;
  }

  it('arrives once on one gateway', async () => {
    const counts = await run({ namespace: 'default', subscribing: one, publishing: one });
    expect(counts).toEqual([undefined, races]);
  });

  it('arrives once on another gateway', async () => {
    const counts = await run({ namespace: 'default', subscribing: one, publishing: two });
    expect(counts).toEqual([undefined, races]);
  });

  it('arrives once on one gateway in a namespace that is not durable', async () => {
    const counts = await run({ namespace: 'loose', subscribing: two, publishing: two });
    expect(counts).toEqual([undefined, races]);
  });

  it('arrives when it is published on the connection itself, before the answer', async () => {
    const socket = await RawSocket.open(one.port, gateways.key);
    const types: string[] = [];
    const events = new Set<unknown>();
    socket.onFrame = ({ type, event }) => {
      types.push(type);
      if (type === 'data') events.add(event);
    };
    const answers = Array.from({ length: publishesPerConnection }, (_, index) => {
      const channel = `/default/own-${index}`;
      return [socket.subscribe(channel), socket.publish(channel, [`${index}`])];
    });
    await Promise.all(answers.flat());
    await expect.poll(() => events.size, wait).toBe(publishesPerConnection);
    expect(types.filter((type) => type.endsWith('error'))).toEqual([]);
    socket.close();
  });
});

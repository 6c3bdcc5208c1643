import {
  createApiKeyConfig,
  createWebSocketClient,
  dialWebSocket,
  type SubscriptionMessage,
  type WebSocketClient,
} from '@posthaste/appsync-client';
import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type GatewayProcess,
  type GatewayProcesses,
  openGatewayProcesses,
} from './gateway-processes.js';
import { findDisorder, NumberedPublishers } from './numbered-publishers.js';

const wait = { timeout: 120_000, interval: 50 };
const channel = '/kept/orders';
const total = 10_000;
/** A kill each time that so many events were answered. */
const killEvery = 3_000;

/** Options of clients that come back soon, and get what they have missed. */
const resuming = {
  extensions: ['resume'],
  reconnect: { initialMs: 50, maxMs: 500 },
} as const;

/** Subscriber that keeps all it gets. */
interface Reader {
  readonly events: string[];
  readonly others: SubscriptionMessage[];
}

async function read(client: WebSocketClient): Promise<Reader> {
  const reader: Reader = { events: [], others: [] };
  const onMessage = (message: SubscriptionMessage): void => {
    if (message.type === 'data') reader.events.push(message.event);
    else reader.others.push(message);
  };
  await client.subscribe(channel, { onMessage }).ready;
  return reader;
}

describeWithPostgres('two gateways, of which one is killed again and again', () => {
  let database: TestDatabase;
  let gateways: GatewayProcesses;
  let killed: GatewayProcess;
  let surviving: GatewayProcess;

  beforeAll(async () => {
    database = await createTestDatabase();
    gateways = await openGatewayProcesses(database);
    [killed, surviving] = await Promise.all([gateways.start(), gateways.start()]);
  });
  afterAll(async () => {
    await gateways?.close();
    await database?.drop();
  });

  /** Connects to the gateway that is killed, and then each time to the other one. */
  async function connectInTurn(): Promise<WebSocketClient> {
    const configs = [killed, surviving].map(({ url }) =>
      createApiKeyConfig(`${url}/event`, undefined, gateways.key),
    );
    let dials = 0;
    const redial = () => {
      dials += 1;
      const config = configs[dials % 2];
      if (config === undefined) throw new Error('there are two gateways');
      return dialWebSocket(config);
    };
    const [config] = configs;
    if (config === undefined) throw new Error('there are two gateways');
    const client = createWebSocketClient(await dialWebSocket(config), config, {
      ...resuming,
      redial,
    });
    await client.ready;
    return client;
  }

  it('bring 10,000 events to every subscriber without a gap or a double, in one order', {
    timeout: 240_000,
  }, async () => {
    const { key } = gateways;
    const witness = await read(await surviving.connect(key));
    const states: string[] = [];
    const onState = (state: string): void => void states.push(state);
    const returning = await read(await killed.connect(key, { ...resuming, onState }));
    const wanderer = await connectInTurn();
    const wandering = await read(wanderer);
    const publishers = new NumberedPublishers({
      publishers: 8,
      pauseMs: 25,
      publish: async (events, publisher) => {
        const gateway = publisher % 2 === 0 ? killed : surviving;
        const status = await gateway.post(key, channel, events);
        return status === 200;
      },
    });
    for (let kills = 1; kills * killEvery < total; kills += 1) {
      await expect.poll(() => publishers.answered.size, wait).toBeGreaterThan(kills * killEvery);
      // It has come back from the last kill, and has caught up: it cannot get any number.
      await expect.poll(() => returning.events.length, wait).toBeGreaterThan(kills * killEvery);
      await killed.kill();
      await killed.start();
    }
    await expect.poll(() => publishers.answered.size, wait).toBeGreaterThanOrEqual(total);
    await publishers.stop();
    expect(publishers.unanswered).toBeGreaterThan(0);
    // Nothing comes behind the last one of them, because the log is in one order.
    const last = JSON.stringify('the last one');
    expect(await surviving.post(key, channel, [last])).toBe(200);
    await expect.poll(() => witness.events.at(-1), wait).toBe(last);
    const events = witness.events.slice(0, -1);
    const seen = new Set(events);
    expect(findDisorder(events)).toEqual([]);
    expect([...publishers.answered].filter((event) => !seen.has(event))).toEqual([]);
    // Those that were cut have got the same, from the log or from the memory of either gateway.
    for (const reader of [returning, wandering]) {
      await expect.poll(() => reader.events.at(-1), wait).toBe(last);
      expect(reader.events.length).toBe(witness.events.length);
      expect(reader.events).toEqual(witness.events);
    }
    expect([witness, returning, wandering].flatMap(({ others }) => others)).toEqual([]);
    await expect.poll(() => states, wait).toHaveLength(7);
    wanderer.close();
  });
});

import type { SubscriptionMessage, WebSocketClient } from '@posthaste/appsync-client';
import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type GatewayProcess,
  type GatewayProcesses,
  openGatewayProcesses,
} from './gateway-processes.js';
import { findDisorder, NumberedPublishers } from './numbered-publishers.js';

const wait = { timeout: 60_000, interval: 50 };
const channel = '/default/orders';
const total = 10_000;
/** A kill each time that so many events were answered. */
const killEvery = 3_000;

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

  it('bring 10,000 events to a subscriber without a gap or a double, in order', async () => {
    const { key } = gateways;
    const witness = await read(await surviving.connect(key));
    const publishers = new NumberedPublishers({
      publishers: 8,
      pauseMs: 15,
      publish: async (events, publisher) => {
        const gateway = publisher % 2 === 0 ? killed : surviving;
        const status = await gateway.post(key, channel, events);
        return status === 200;
      },
    });
    for (let kills = 1; kills * killEvery < total; kills += 1) {
      await expect.poll(() => publishers.answered.size, wait).toBeGreaterThan(kills * killEvery);
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
    expect(witness.others).toEqual([]);
  });
});

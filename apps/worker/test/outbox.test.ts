import { setTimeout as sleep } from 'node:timers/promises';
import {
  type KafkaBroker,
  type Receiver,
  type RunningProcess,
  startKafka,
  startReceiver,
} from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { EventPlatform } from './event-platform.js';
import { KafkaReader } from './kafka-reader.js';

const keys = 10;
const waitOptions = { timeout: 60_000, interval: 100 };

/** Returns of each request the event's id, key and number, and the callback's id. */
function requestsOf({ requests }: Receiver) {
  return requests.map(({ body, headers }) => {
    const { id, payload } = JSON.parse(body.toString()) as {
      id: string;
      payload: { key: string; n: number };
    };
    return { id, ...payload, callbackId: headers['webhook-id'] };
  });
}

describeWithKafka('the event log as outbox of a worker', () => {
  let kafka: KafkaBroker;
  let platform: EventPlatform;
  let receiver: Receiver;
  let reader: KafkaReader | undefined;
  beforeAll(async () => {
    kafka = await startKafka({ own: true });
  }, 240_000);
  afterAll(() => kafka.close());
  beforeEach(async () => {
    platform = await EventPlatform.open();
    receiver = await startReceiver(200);
  });
  afterEach(async () => {
    await platform.close();
    await receiver.close();
    await reader?.close();
    await kafka.start();
  });

  /** Prefix of topics in Kafka: every test has topics of its own. */
  let prefix = '';
  beforeEach(() => {
    prefix = `test-${Date.now()}`;
  });
  const startWorker = (): Promise<RunningProcess> =>
    platform.startWorker({
      KAFKA_BROKERS: kafka.brokers.join(),
      POSTHASTE_KAFKA_PREFIX: prefix,
    });
  /** Publishes one event for each key again and again, until the returned function is called. */
  const publishSteadily = (): (() => Promise<string[]>) => {
    let stopped = false;
    const run = async (): Promise<string[]> => {
      const ids: string[] = [];
      for (let n = 0; !stopped; n++) {
        const events = Array.from({ length: keys }, (_, k) => {
          return { key: `key ${k}`, payload: { key: `key ${k}`, n } };
        });
        ids.push(...(await platform.publish(...events)));
        await sleep(20);
      }
      return ids;
    };
    const running = run();
    return () => {
      stopped = true;
      return running;
    };
  };
  const expectOrder = (byKey: ReadonlyMap<string, readonly unknown[]>): void => {
    for (const numbers of byKey.values()) expect(numbers).toEqual(numbers.map((_, n) => n));
    expect(byKey.size).toBe(keys);
  };

  it('brings every event to Kafka and to a webhook, in order, while workers are killed', async () => {
    await platform.subscribe({ name: 'a', url: receiver.url, order: 'key' }, 'order.*');
    let worker = await startWorker();
    const stop = publishSteadily();
    for (let kills = 0; kills < 3; kills++) {
      await sleep(1_500);
      await worker.kill();
      worker = await startWorker();
    }
    await sleep(500);
    const ids = await stop();
    reader = new KafkaReader(kafka.brokers, [`${prefix}.orders`]);

    await vi.waitFor(() => expect(reader?.ids.length).toBe(ids.length), waitOptions);
    expect(new Set(reader.ids)).toEqual(new Set(ids));
    expectOrder(reader.fieldsByKey('n'));

    await vi.waitFor(() => {
      expect(new Set(requestsOf(receiver).map(({ id }) => id)).size).toBe(ids.length);
    }, waitOptions);
    const requests = requestsOf(receiver);
    // A callback is sent again, with the same id, only if its result was lost with a killed worker.
    const callbacks = new Map(requests.map(({ id, callbackId }) => [callbackId, id]));
    expect(callbacks.size).toBe(ids.length);
    const firsts = requests.filter(({ id }, i) => requests.findIndex((a) => a.id === id) === i);
    const byKey = Map.groupBy(firsts, ({ key }) => key);
    expectOrder(new Map([...byKey].map(([key, own]) => [key, own.map(({ n }) => n)])));
  }, 120_000);

  it('loses nothing and keeps the order while the broker is stopped and killed', async () => {
    await startWorker();
    const stop = publishSteadily();
    for (const end of [() => kafka.stop(), () => kafka.kill()]) {
      await sleep(1_000);
      await end();
      await sleep(2_000);
      await kafka.start();
    }
    await sleep(500);
    const ids = await stop();
    reader = new KafkaReader(kafka.brokers, [`${prefix}.orders`]);
    await vi.waitFor(() => expect(reader?.ids.length).toBe(ids.length), waitOptions);
    expectOrder(reader.fieldsByKey('n'));
  }, 120_000);
});

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type KafkaBroker,
  quickRecovery,
  type Receiver,
  type RunningProcess,
  type SharedKafka,
  sharedKafka,
  startKafka,
  startReceiver,
} from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { expect, it, type TestContext, vi } from 'vitest';
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

/** Event log of one test, and what publishes from it. Everything is closed after the test. */
class Outbox {
  readonly platform: EventPlatform;
  readonly #context: Pick<TestContext, 'onTestFinished'>;
  readonly #kafka: SharedKafka;
  /** Prefix of topics in Kafka: every test has topics of its own. */
  readonly #prefix = `test-${randomUUID()}`;

  private constructor(platform: EventPlatform, kafka: SharedKafka, context: TestContext) {
    this.platform = platform;
    this.#kafka = kafka;
    this.#context = context;
  }

  static async open(kafka: SharedKafka, context: TestContext): Promise<Outbox> {
    const platform = await EventPlatform.open();
    context.onTestFinished(() => platform.close());
    return new Outbox(platform, kafka, context);
  }

  startWorker(): Promise<RunningProcess> {
    return this.platform.startWorker({
      KAFKA_BROKERS: this.#kafka.brokers.join(),
      POSTHASTE_KAFKA_PREFIX: this.#prefix,
    });
  }

  /** Reads what has been published to Kafka. */
  read(): KafkaReader {
    const reader = new KafkaReader(this.#kafka.brokers, [`${this.#prefix}.orders`]);
    this.#context.onTestFinished(() => reader.close());
    return reader;
  }

  /**
   * Publishes one event for each key again and again, until the returned function is called. That
   * resolves to the ids.
   */
  publishSteadily(): () => Promise<string[]> {
    let stopped = false;
    const run = async (): Promise<string[]> => {
      const ids: string[] = [];
      for (let n = 0; !stopped; n++) {
        const events = Array.from({ length: keys }, (_, k) => {
          return { key: `key ${k}`, payload: { key: `key ${k}`, n } };
        });
        ids.push(...(await this.platform.publish(...events)));
        await sleep(50);
      }
      return ids;
    };
    const running = run();
    return () => {
      stopped = true;
      return running;
    };
  }
}

function expectOrder(byKey: ReadonlyMap<string, readonly unknown[]>): void {
  for (const numbers of byKey.values()) expect(numbers).toEqual(numbers.map((_, n) => n));
  expect(byKey.size).toBe(keys);
}

/** At the same time, since most of it is waiting. */
describeWithKafka.concurrent('the event log as outbox of a worker', { timeout: 300_000 }, () => {
  it('brings every event to Kafka and to a webhook, in order, while workers are killed', async (context) => {
    const outbox = await Outbox.open(await sharedKafka(), context);
    const receiver = await startReceiver(200);
    context.onTestFinished(() => receiver.close());
    const { platform } = outbox;
    await platform.subscribe({ name: 'a', url: receiver.url, order: 'key' }, 'order.*');
    let worker = await outbox.startWorker();
    const stop = outbox.publishSteadily();
    for (let kills = 0; kills < 3; kills++) {
      const before = receiver.count;
      await vi.waitFor(() => expect(receiver.count).toBeGreaterThan(before + 100), waitOptions);
      await worker.kill();
      worker = await outbox.startWorker();
    }
    const ids = await stop();
    const reader = outbox.read();

    await vi.waitFor(() => expect(reader.ids.length).toBe(ids.length), waitOptions);
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
  });

  it('names the application of each event in a header, and in nothing else', async (context) => {
    const outbox = await Outbox.open(await sharedKafka(), context);
    const { platform } = outbox;
    await platform.publish(
      { key: 'a', application: 'größe' },
      { key: 'b', application: '' },
      { key: 'c' },
    );
    await outbox.startWorker();
    const reader = outbox.read();
    await vi.waitFor(() => expect(reader.ids.length).toBe(3), waitOptions);
    const byKey = new Map(reader.records.map((record) => [String(record.key), record]));
    const applications = ['a', 'b', 'c'].map(
      (key) => byKey.get(key)?.headers['posthaste-application'],
    );
    expect(applications).toEqual(['größe', '', undefined]);
    for (const { value } of reader.records) expect(String(value)).not.toMatch(/größe|application/);
  });

  it('loses nothing and keeps the order while the broker is stopped and killed', async (context) => {
    const kafka: KafkaBroker = await startKafka({ own: true, settings: quickRecovery });
    context.onTestFinished(() => kafka.close());
    const outbox = await Outbox.open(kafka, context);
    await outbox.startWorker();
    const stop = outbox.publishSteadily();
    for (const end of [() => kafka.stop(), () => kafka.kill()]) {
      await sleep(1_000);
      await end();
      await sleep(2_000);
      await kafka.start();
    }
    await sleep(500);
    const ids = await stop();
    const reader = outbox.read();
    await vi.waitFor(() => expect(reader.ids.length).toBe(ids.length), waitOptions);
    expectOrder(reader.fieldsByKey('n'));
  });
});

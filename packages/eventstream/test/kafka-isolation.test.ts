import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SharedKafka, sharedKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import kafkajs, { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { Driver } from '../src/driver.js';
import type { KafkaDriverOptions } from '../src/drivers/kafka/connection/kafka-options.js';
import { append, createTopic, toSubscription, uniqueName } from './kafka-topic.js';
import { commitAll, RecordingHandler } from './recording-handler.js';

const waitOptions = { timeout: 15_000, interval: 20 };
const require = createRequire(import.meta.url);

type Snapshot = ReadonlyMap<
  object,
  { readonly path: string; readonly members: PropertyDescriptors }
>;
type PropertyDescriptors = Readonly<Record<PropertyKey, PropertyDescriptor>>;

/**
 * Returns the members of every module of kafkajs, of its classes, their prototypes and its tables.
 */
function snapshotKafkajs(): Snapshot {
  const snapshot = new Map<object, { path: string; members: PropertyDescriptors }>();
  const add = (value: unknown, path: string): void => {
    const isObject = typeof value === 'object' && value !== null;
    if ((!isObject && typeof value !== 'function') || snapshot.has(value)) return;
    const members = Object.getOwnPropertyDescriptors(value);
    snapshot.set(value, { path, members });
    for (const key of Reflect.ownKeys(members)) {
      add(members[key as keyof typeof members]?.value, `${path}.${String(key)}`);
    }
  };
  for (const [file, module] of Object.entries(require.cache)) {
    const [, path] = file.split('/node_modules/kafkajs/');
    if (path !== undefined) add(module?.exports, path);
  }
  return snapshot;
}

/** Returns the paths of members that were added, removed or replaced. */
function changesSince(before: Snapshot): string[] {
  return [...before].flatMap(([object, { path, members }]) => {
    const now: PropertyDescriptors = Object.getOwnPropertyDescriptors(object);
    const keys = new Set([...Reflect.ownKeys(members), ...Reflect.ownKeys(now)]);
    return [...keys]
      .filter(
        (key) => now[key]?.value !== members[key]?.value || now[key]?.get !== members[key]?.get,
      )
      .map((key) => `${path}.${String(key)}`);
  });
}

/** A service's own client of kafkajs, which knows nothing of the driver. */
async function exchangeWithKafkajs(brokers: string[], topic: string): Promise<string> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  // Disconnecting waits for the request under way, by default up to 5 s.
  const consumer = kafka.consumer({ groupId: uniqueName(), maxWaitTimeInMs: 100 });
  const received = Promise.withResolvers<string>();
  await Promise.all([producer.connect(), consumer.connect()]);
  try {
    const messages = [{ value: 'plain' }];
    await producer.send({ topic, messages, compression: CompressionTypes.GZIP });
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => received.resolve(`${message.value}`),
    });
    return await received.promise;
  } finally {
    await Promise.all([producer.disconnect(), consumer.disconnect()]);
  }
}

describeWithKafka(
  'a client of kafkajs in the same process as the driver',
  { timeout: 60_000 },
  () => {
    let kafka: SharedKafka;
    let createKafkaDriver: (options: KafkaDriverOptions) => Driver;
    let before: Snapshot;
    const drivers: Driver[] = [];
    beforeAll(async () => {
      kafka = await sharedKafka();
      // kafkajs loads some of its modules when it needs them first.
      const topic = await createTopic(kafka.brokers);
      await exchangeWithKafkajs(kafka.brokers, topic);
      before = snapshotKafkajs();
      ({ createKafkaDriver } = await import('../src/drivers/kafka/kafkajs-driver.js'));
    }, 240_000);
    afterEach(async () => {
      await Promise.all(drivers.splice(0).map((driver) => driver.close()));
    });

    function open(options: Partial<KafkaDriverOptions> = {}): Driver {
      const driver = createKafkaDriver({ brokers: kafka.brokers, ...options });
      drivers.push(driver);
      return driver;
    }

    /** Appends, consumes, commits and asks: everything that the driver does. */
    async function useDriver(driver: Driver): Promise<void> {
      const topic = await createTopic(kafka.brokers);
      const request = toSubscription(topic, { groupInstanceId: 'a' });
      const handler = new RecordingHandler();
      const subscription = driver.subscribe(request, handler);
      await append(driver, topic, ['a']);
      await vi.waitFor(() => expect(handler.values).toEqual(['a']), waitOptions);
      await commitAll(subscription, handler);
      await driver.ping();
      expect((await driver.lag(topic, request.groupId))[0]?.partitions[0]?.lag).toBe(0n);
    }

    it('finds the classes and tables of kafkajs as they were', async () => {
      const classes = ['network/requestQueue', 'network/connectionPool', 'cluster', 'broker'];
      for (const name of classes)
        expect(before.has(require(`kafkajs/src/${name}`).prototype)).toBe(true);
      expect(before.has(kafkajs.CompressionCodecs)).toBe(true);
      for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
        await useDriver(open({ compression }));
      }
      expect(changesSince(before)).toEqual([]);
      expect(() => kafkajs.CompressionCodecs[CompressionTypes.ZSTD]()).toThrow('not implemented');
      const topic = await createTopic(kafka.brokers);
      expect(await exchangeWithKafkajs(kafka.brokers, topic)).toBe('plain');
    });

    it('keeps the timers of idle connections, which those of the driver are without', async () => {
      await useDriver(open());
      const setTimer = vi.spyOn(globalThis, 'setTimeout');
      const countIdleTimers = (): number =>
        setTimer.mock.calls.filter(([, delayMs = 0]) => delayMs < 0).length;
      await sleep(300);
      expect(countIdleTimers()).toBe(0);
      const admin = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      await admin.describeCluster();
      await sleep(300);
      expect(countIdleTimers()).toBeGreaterThan(20);
      await admin.disconnect();
      setTimer.mockRestore();
    });
  },
);

import { Consumer, type MessagesStream } from '@platformatic/kafka';
import { type SharedKafka, sharedKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { beforeAll, expect, it, type TestContext, vi } from 'vitest';
import type { Driver } from '../src/driver.js';
import { kafkaDrivers } from './kafka-drivers.js';
import { append, createTopic, toSubscription, uniqueName } from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';

const waitOptions = { timeout: 30_000, interval: 20 };

/** A group member with one assignor only, as clients in other languages may be. */
class ForeignMember {
  readonly values: string[] = [];
  readonly #consumer: Consumer;
  #stream: MessagesStream<Buffer, Buffer, Buffer, Buffer> | undefined;

  constructor(brokers: string[], groupId: string, assignor: string) {
    this.#consumer = new Consumer({
      clientId: 'foreign',
      bootstrapBrokers: brokers,
      groupId,
      protocols: [{ name: assignor, version: 1 }],
      heartbeatInterval: 200,
      sessionTimeout: 6_000,
    });
  }

  get partitions(): readonly number[] {
    return this.#consumer.assignments?.flatMap(({ partitions }) => partitions) ?? [];
  }

  async start(topic: string): Promise<void> {
    this.#stream = await this.#consumer.consume({
      topics: [topic],
      mode: 'committed',
      fallbackMode: 'earliest',
      maxWaitTime: 100,
    });
    this.#stream.on('data', ({ value }) => this.values.push(String(value)));
  }

  async close(): Promise<void> {
    await this.#stream?.close();
    await this.#consumer.close();
  }
}

describeWithKafka('a group of different clients', { timeout: 60_000 }, () => {
  let kafka: SharedKafka;
  beforeAll(async () => {
    kafka = await sharedKafka();
  }, 240_000);

  /** Opens a driver that is closed after the test. */
  function openDriver(
    create: (typeof kafkaDrivers)[number]['create'],
    onTestFinished: TestContext['onTestFinished'],
  ): Driver {
    const driver = create({ brokers: kafka.brokers, heartbeatIntervalMs: 200 });
    onTestFinished(() => driver.close());
    return driver;
  }

  it.concurrent('shares the partitions between both drivers', async ({ onTestFinished }) => {
    const topic = await createTopic(kafka.brokers, { numPartitions: 4 });
    const groupId = uniqueName();
    const drivers = kafkaDrivers.map(({ create }) => openDriver(create, onTestFinished));
    const handlers = drivers.map((driver) => {
      const handler = new RecordingHandler();
      driver.subscribe(toSubscription(topic, { groupId }), handler);
      return handler;
    });
    const partitionCounts = (): number[] => handlers.map((handler) => handler.partitions.size);
    await vi.waitFor(() => expect(partitionCounts()).toEqual([2, 2]), waitOptions);
    const values = ['a', 'b', 'c', 'd'];
    for (const [partition, value] of values.entries()) {
      const driver = drivers[partition % drivers.length];
      if (driver) await append(driver, { topic, partition }, [value]);
    }
    const arrived = (): string[] => handlers.flatMap((handler) => handler.values).sort();
    await vi.waitFor(() => expect(arrived()).toEqual(values), waitOptions);
  });

  const assignors = ['range', 'roundrobin'];
  const members = kafkaDrivers.flatMap(({ name, create }) =>
    assignors.flatMap((assignor) =>
      [true, false].map((foreignFirst) => ({ name, create, assignor, foreignFirst })),
    ),
  );
  it.concurrent.for(members)(
    'lets $name share with a member that has only $assignor (which leads the group: $foreignFirst)',
    async ({ create, assignor, foreignFirst }, { onTestFinished }) => {
      const topic = await createTopic(kafka.brokers, { numPartitions: 4 });
      const request = toSubscription(topic);
      const foreign = new ForeignMember(kafka.brokers, request.groupId, assignor);
      const handler = new RecordingHandler();
      const driver = openDriver(create, onTestFinished);
      onTestFinished(() => foreign.close());
      const steps = [
        async () => foreign.start(topic),
        async () => {
          driver.subscribe(request, handler);
          await vi.waitFor(() => expect(handler.partitions.size).toBeGreaterThan(0), waitOptions);
        },
      ];
      for (const step of foreignFirst ? steps : steps.reverse()) await step();
      await vi.waitFor(() => {
        expect([...handler.partitions, ...foreign.partitions].sort()).toEqual([0, 1, 2, 3]);
        expect(handler.partitions.size).toBe(2);
      }, waitOptions);
      const values = ['a', 'b', 'c', 'd'];
      for (const [partition, value] of values.entries()) {
        await append(driver, { topic, partition }, [value]);
      }
      await vi.waitFor(() => {
        expect([...new Set([...handler.values, ...foreign.values])].sort()).toEqual(values);
      }, waitOptions);
    },
  );
});

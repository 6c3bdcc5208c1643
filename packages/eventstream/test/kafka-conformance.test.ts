import { randomUUID } from 'node:crypto';
import { type KafkaBroker, startKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe } from 'vitest';
import { testDriver } from './conformance.js';
import type { ConformanceTarget } from './conformance-target.js';
import { kafkaDrivers } from './kafka-drivers.js';
import { createTopic } from './kafka-topic.js';

/** The shortest session that brokers accept by default, in ms. */
const sessionMs = 6_000;

function toTarget(
  kafka: KafkaBroker,
  create: (typeof kafkaDrivers)[number]['create'],
): ConformanceTarget {
  return {
    connect: () =>
      create({
        brokers: kafka.brokers,
        clientId: `conformance-${randomUUID()}`,
        sessionTimeoutMs: sessionMs,
        topicRefreshMs: 500,
      }),
    createTopic: async (topic, partitions) =>
      void (await createTopic(kafka.brokers, { topic, numPartitions: partitions })),
    // The broker limits batches, compressed or not, to a little more than 1 MiB.
    tooLargeBytes: 1_100_000,
    sessionMs,
    settleMs: 30_000,
    close: async () => undefined,
  };
}

describeWithKafka('on Kafka', () => {
  let kafka: KafkaBroker;
  beforeAll(async () => {
    kafka = await startKafka();
  }, 240_000);
  afterAll(() => kafka?.close());

  describe.each(kafkaDrivers)('the $name driver', ({ create }) =>
    testDriver(async () => toTarget(kafka, create)),
  );
});

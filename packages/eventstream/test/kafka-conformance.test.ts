import { randomUUID } from 'node:crypto';
import { type SharedKafka, sharedKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { beforeAll, describe } from 'vitest';
import { testDriver } from './conformance.js';
import type { ConformanceTarget } from './conformance-target.js';
import { kafkaDrivers } from './kafka-drivers.js';
import { createTopic } from './kafka-topic.js';

/** The shortest session that brokers accept by default, in ms. Those of the testbed accept less. */
const shortestSessionMs = 6_000;

function toTarget(
  kafka: SharedKafka,
  create: (typeof kafkaDrivers)[number]['create'],
): ConformanceTarget {
  const sessionMs = kafka.kind === 'external' ? shortestSessionMs : 3_000;
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
  let kafka: SharedKafka;
  beforeAll(async () => {
    kafka = await sharedKafka();
  }, 240_000);

  // They run at the same time, since most of it is waiting.
  describe.concurrent.each(kafkaDrivers)('the $name driver', ({ create }) =>
    testDriver(async () => toTarget(kafka, create)),
  );
});

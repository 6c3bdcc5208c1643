import { randomUUID } from 'node:crypto';
import { startKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { testDriver } from './conformance.js';
import type { ConformanceTarget } from './conformance-target.js';
import { kafkaDrivers } from './kafka-drivers.js';
import { createTopic } from './kafka-topic.js';

/** The shortest that brokers take unless they are told otherwise. */
const sessionMs = 6_000;
const startMs = 240_000;

async function openTarget(
  create: (typeof kafkaDrivers)[number]['create'],
): Promise<ConformanceTarget> {
  const kafka = await startKafka();
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
    // Compressed or not: the broker's limit is one of batches, 1 MiB and a little.
    tooLargeBytes: 1_100_000,
    sessionMs,
    settleMs: 30_000,
    close: () => kafka.close(),
  };
}

for (const { name, create } of kafkaDrivers) {
  describeWithKafka(`the ${name} driver`, () => testDriver(() => openTarget(create), startMs));
}

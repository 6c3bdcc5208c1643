import { setTimeout as sleep } from 'node:timers/promises';
import { sharedKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { expect, it, vi } from 'vitest';
import { kafkaDrivers } from './kafka-drivers.js';
import { append, createTopic, toSubscription } from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';

const waitOptions = { timeout: 15_000, interval: 20 };
const idleMs = 2_000;

/** In a file of its own, because the CPU time is that of the whole process. */
describeWithKafka('Kafka drivers', () => {
  it('use hardly any CPU while nothing happens', async ({ onTestFinished }) => {
    const { brokers } = await sharedKafka();
    for (const { create } of kafkaDrivers) {
      const idle = create({ brokers });
      onTestFinished(() => idle.close());
      const topic = await createTopic(brokers);
      const handler = new RecordingHandler();
      idle.subscribe(toSubscription(topic), handler);
      await append(idle, topic, ['a']);
      await idle.ping();
      await vi.waitFor(() => expect(handler.received).toHaveLength(1), waitOptions);
    }
    await sleep(500);
    const before = process.cpuUsage();
    await sleep(idleMs);
    const { user, system } = process.cpuUsage(before);
    const percent = (user + system) / (idleMs * 10);
    expect(percent).toBeLessThan(3 * kafkaDrivers.length);
  }, 240_000);
});

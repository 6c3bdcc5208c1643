import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaBroker, startKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { testClosing } from './kafka-driver-closing.js';
import { useDriverFixture, waitOptions } from './kafka-driver-fixture.js';
import { testGroup } from './kafka-driver-groups.js';
import { testRecords } from './kafka-driver-records.js';
import { testStarts } from './kafka-driver-starts.js';
import { testTopics } from './kafka-driver-topics.js';
import { kafkaDrivers } from './kafka-drivers.js';
import { append, createTopic, toSubscription } from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';

let kafka: KafkaBroker;
beforeAll(async () => {
  kafka = await startKafka();
}, 240_000);
afterAll(() => kafka?.close());

describeWithKafka.each(kafkaDrivers)('the Kafka driver on $name', ({ create }) => {
  const fixture = useDriverFixture(() => kafka, create);
  describe('records', () => testRecords(fixture));
  describe('topics', () => testTopics(fixture));
  describe('reading starts', () => testStarts(fixture));
  describe('a group', () => testGroup(fixture));
  describe('closing', () => testClosing(fixture));

  it('uses hardly any CPU while nothing happens', async () => {
    const { open, read } = fixture;
    const idle = open();
    const topic = await createTopic(fixture.brokers);
    const { handler } = read(toSubscription(topic), new RecordingHandler(), idle);
    await append(idle, topic, ['a']);
    await idle.ping();
    await vi.waitFor(() => expect(handler.received).toHaveLength(1), waitOptions);
    await sleep(500);
    const before = process.cpuUsage();
    await sleep(3_000);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 3_000_000).toBeLessThan(0.03);
  });
});

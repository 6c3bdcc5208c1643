import { expect, vi } from 'vitest';
import { offsetEnd } from '../src/driver.js';
import { type DriverFixture, waitOptions } from './kafka-driver-fixture.js';
import { administer, append, createTopic, toSubscription, uniqueName } from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';

/** Registers tests of topics that are missing, refused, created late or growing. */
export function testTopics(fixture: DriverFixture): void {
  const { it, read } = fixture;

  it('are created when they are asked for', async () => {
    expect(await fixture.driver.partitionCount(uniqueName())).toBe(3);
  });

  it('are not created if the driver must not', async ({ open }) => {
    const topic = uniqueName();
    const careful = open({ createTopics: false });
    await expect(careful.partitionCount(topic)).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
    });
    await expect(append(careful, topic, ['a'])).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
    });
    expect(await administer(fixture.brokers, (admin) => admin.listTopics())).not.toContain(topic);
  });

  it('with names that Kafka refuses are refused', async () => {
    await expect(fixture.driver.partitionCount('not a name')).rejects.toMatchObject({
      code: 'EVENT_INVALID',
    });
  });

  it('may be created after their subscription, which then reads them from the beginning', async () => {
    const topic = uniqueName();
    const { handler, subscription } = read(toSubscription(topic, { startOffset: offsetEnd }));
    await vi.waitFor(() => expect(handler.interruptions).not.toEqual([]), waitOptions);
    expect(handler.interruptions[0]).toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await fixture.driver.partitionCount(topic);
    await append(fixture.driver, topic, ['first']);
    await vi.waitFor(() => expect(handler.values).toEqual(['first']), waitOptions);
    await subscription.close();
  });

  it('that get more partitions are read with those', async ({ open }) => {
    const topic = await createTopic(fixture.brokers);
    const watchful = open({ topicRefreshMs: 300 });
    const request = toSubscription(topic, { startOffset: offsetEnd });
    const { handler, subscription } = read(request, new RecordingHandler(), watchful);
    await vi.waitFor(() => expect(handler.log).toEqual(['assigned 0']), waitOptions);
    const topicPartitions = [{ topic, count: 2 }];
    await administer(fixture.brokers, (admin) => admin.createPartitions({ topicPartitions }));
    await vi.waitFor(() => append(fixture.driver, { topic, partition: 1 }, ['new']), waitOptions);
    await vi.waitFor(() => expect(handler.values).toEqual(['new']), waitOptions);
    await subscription.close();
  });
}

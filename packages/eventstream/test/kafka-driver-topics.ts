import { expect, it, vi } from 'vitest';
import { offsetEnd } from '../src/driver.js';
import { type DriverFixture, waitOptions } from './kafka-driver-fixture.js';
import { administer, append, createTopic, toSubscription, uniqueName } from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';

/** Topics that are missing, refused, late or growing. */
export function testTopics(stage: DriverFixture): void {
  const { open, read } = stage;

  it('are made when records are for them', async () => {
    expect(await stage.driver.partitionCount(uniqueName())).toBe(3);
  });

  it('are not made where that is not wanted', async () => {
    const topic = uniqueName();
    const careful = open({ createTopics: false });
    await expect(careful.partitionCount(topic)).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
    });
    await expect(append(careful, topic, ['a'])).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
    });
    expect(await administer(stage.brokers, (admin) => admin.listTopics())).not.toContain(topic);
  });

  it('with names that Kafka refuses are refused', async () => {
    await expect(stage.driver.partitionCount('not a name')).rejects.toMatchObject({
      code: 'EVENT_INVALID',
    });
  });

  it('may appear after their subscription, which then reads all of them', async () => {
    const topic = uniqueName();
    const { handler, subscription } = read(toSubscription(topic, { startOffset: offsetEnd }));
    await vi.waitFor(() => expect(handler.interruptions).not.toEqual([]), waitOptions);
    expect(handler.interruptions[0]).toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await stage.driver.partitionCount(topic);
    await append(stage.driver, topic, ['first']);
    await vi.waitFor(() => expect(handler.values).toEqual(['first']), waitOptions);
    await subscription.close();
  });

  it('that gain partitions are read whole', async () => {
    const topic = await createTopic(stage.brokers);
    const watchful = open({ topicRefreshMs: 300 });
    const request = toSubscription(topic, { startOffset: offsetEnd });
    const { handler, subscription } = read(request, new RecordingHandler(), watchful);
    await vi.waitFor(() => expect(handler.log).toEqual(['assigned 0']), waitOptions);
    const topicPartitions = [{ topic, count: 2 }];
    await administer(stage.brokers, (admin) => admin.createPartitions({ topicPartitions }));
    await vi.waitFor(() => append(stage.driver, topic, ['new'], 1), waitOptions);
    await vi.waitFor(() => expect(handler.values).toEqual(['new']), waitOptions);
    await subscription.close();
  });
}

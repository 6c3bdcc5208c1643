import { expect, vi } from 'vitest';
import { offsetBeginning, offsetEnd } from '../src/driver.js';
import { type DriverFixture, waitOptions } from './kafka-driver-fixture.js';
import { administer, append, createTopic, toSubscription } from './kafka-topic.js';
import { distinct } from './recording-handler.js';

/** Registers tests of the offset at which a group starts to read. */
export function testStarts(fixture: DriverFixture): void {
  const { it, read } = fixture;

  it.each<[string, bigint, string[]]>([
    ['at the end', offsetEnd, ['d']],
    ['at the beginning', offsetBeginning, ['a', 'b', 'c', 'd']],
    ['at a number', 1n, ['b', 'c', 'd']],
  ])('%s', async (_, startOffset, expected) => {
    const topic = await createTopic(fixture.brokers);
    await append(fixture.driver, topic, ['a', 'b', 'c']);
    const { handler, subscription } = read(toSubscription(topic, { startOffset }));
    await vi.waitFor(() => expect(handler.log).toEqual(['assigned 0']), waitOptions);
    await vi.waitFor(async () => {
      const [lag] = await fixture.driver.lag(topic);
      expect(lag?.partitions[0]?.committed).toBeDefined();
    }, waitOptions);
    await append(fixture.driver, topic, ['d']);
    await vi.waitFor(() => expect(distinct(handler)).toEqual(expected), waitOptions);
    await subscription.close();
  });

  it('at the committed offset, whatever the subscription asks for', async () => {
    const topic = await createTopic(fixture.brokers);
    await append(fixture.driver, topic, ['a', 'b', 'c']);
    const request = toSubscription(topic);
    const first = read(request);
    await vi.waitFor(() => expect(first.handler.values).toHaveLength(3), waitOptions);
    await first.subscription.commit(new Map([[0, 2n]]));
    await first.subscription.close();
    const second = read({ ...request, startOffset: offsetBeginning });
    await vi.waitFor(() => expect(second.handler.values).toEqual(['c']), waitOptions);
    await second.subscription.close();
  });

  it('at a record that failed before the first commit, for a group that started at the end', async () => {
    const topic = await createTopic(fixture.brokers);
    const request = toSubscription(topic, { startOffset: offsetEnd });
    const first = read(request);
    await vi.waitFor(async () => {
      const [lag] = await fixture.driver.lag(topic, request.groupId);
      expect(lag?.partitions[0]?.committed).toBe(0n);
    }, waitOptions);
    await append(fixture.driver, topic, ['fails']);
    await vi.waitFor(() => expect(first.handler.values).toEqual(['fails']), waitOptions);
    await first.subscription.close();
    const second = read(request);
    await vi.waitFor(() => expect(second.handler.values).toEqual(['fails']), waitOptions);
    await second.subscription.close();
  });

  it('at the oldest record that is left, and the lost ones are reported, if it was away too long', async () => {
    const topic = await createTopic(fixture.brokers);
    await append(fixture.driver, topic, ['a', 'b', 'c', 'd']);
    const request = toSubscription(topic, { startOffset: offsetEnd });
    const before = read({ ...request, startOffset: offsetBeginning });
    await vi.waitFor(() => expect(before.handler.values).toHaveLength(4), waitOptions);
    await before.subscription.commit(new Map([[0, 1n]]));
    await before.subscription.close();
    await administer(fixture.brokers, async (admin) => {
      // kafkajs deletes only from topics that it has asked for.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
    });
    const { handler, subscription } = read(request);
    await vi.waitFor(() => expect(handler.values).toEqual(['c', 'd']), waitOptions);
    expect(handler.losses).toEqual([{ from: 1n, to: 2n }]);
    await subscription.close();
  });
}

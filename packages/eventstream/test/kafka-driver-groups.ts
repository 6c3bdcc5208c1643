import { setTimeout as sleep } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import type { DriverSubscription } from '../src/driver.js';
import { type DriverFixture, waitOptions } from './kafka-driver-fixture.js';
import { append, createTopic, toSubscription, uniqueName } from './kafka-topic.js';
import { commitAll, distinct, offsetsAfter, RecordingHandler } from './recording-handler.js';

/** Registers tests of groups whose members come, go and are slow. */
export function testGroup(fixture: DriverFixture): void {
  const { it, read } = fixture;
  const quick = { sessionTimeoutMs: 2_000, heartbeatIntervalMs: 200 };

  it('keeps a member whose handler takes longer than the session', async ({ open }) => {
    const topic = await createTopic(fixture.brokers);
    await append(fixture.driver, topic, ['slow']);
    const handler = new RecordingHandler({ onRecords: () => sleep(4_000) });
    const { subscription } = read(toSubscription(topic), handler, open(quick));
    await vi.waitFor(() => expect(handler.received).toHaveLength(1), waitOptions);
    await sleep(4_000);
    await commitAll(subscription, handler);
    expect(handler.log).toEqual(['assigned 0']);
    expect(handler.interruptions).toEqual([]);
    await subscription.close();
  });

  it('waits in a rebalance for records that are being handled', async ({ open }) => {
    const topic = await createTopic(fixture.brokers, { numPartitions: 2 });
    await append(fixture.driver, { topic, partition: 0 }, ['a']);
    await append(fixture.driver, { topic, partition: 1 }, ['b']);
    const request = toSubscription(topic);
    const mine: { subscription?: DriverSubscription } = {};
    const first = new RecordingHandler({
      onRevoked: async () => {
        await sleep(1_500);
        if (mine.subscription) await commitAll(mine.subscription, first);
      },
    });
    mine.subscription = read(request, first, open(quick)).subscription;
    await vi.waitFor(() => expect(first.received).toHaveLength(2), waitOptions);
    const second = read(request, new RecordingHandler(), open(quick));
    await vi.waitFor(() => expect(second.handler.partitions.size).toBe(1), waitOptions);
    expect(first.log.slice(0, 2)).toEqual(['assigned 0,1', 'revoked 0,1']);
    await vi.waitFor(() => expect(first.partitions.size).toBe(1), waitOptions);
    await append(fixture.driver, { topic, partition: 0 }, ['c']);
    await append(fixture.driver, { topic, partition: 1 }, ['d']);
    await vi.waitFor(() => {
      expect([...first.values, ...second.handler.values].sort()).toEqual(['a', 'b', 'c', 'd']);
    }, waitOptions);
    await Promise.all([mine.subscription.close(), second.subscription.close()]);
  });

  it('goes on without a handler that does not finish, and refuses its late commit', async ({
    open,
  }) => {
    const topic = await createTopic(fixture.brokers, { numPartitions: 2 });
    await append(fixture.driver, { topic, partition: 0 }, ['a']);
    await append(fixture.driver, { topic, partition: 1 }, ['b']);
    const request = toSubscription(topic, { drainMs: 500 });
    const forever = new Promise<void>(() => undefined);
    const blocked = new RecordingHandler({
      onRecords: () => forever,
      onRevoked: () => forever,
    });
    const first = read(request, blocked, open(quick));
    await vi.waitFor(() => expect(blocked.received).toHaveLength(2), waitOptions);
    const early = offsetsAfter(blocked.received);
    const second = read(request, new RecordingHandler(), open(quick));
    await vi.waitFor(() => expect(second.handler.received).toHaveLength(1), waitOptions);
    await expect(first.subscription.commit(early)).rejects.toMatchObject({
      code: 'STREAM_ASSIGNMENT_LOST',
    });
    await Promise.all([first.subscription.close(), second.subscription.close()]);
  });

  it('may have members for different topics', async () => {
    const topics = [await createTopic(fixture.brokers), await createTopic(fixture.brokers)];
    const groupId = uniqueName();
    const readers = topics.map((topic) => read(toSubscription(topic, { groupId })));
    for (const topic of topics) await append(fixture.driver, topic, [topic]);
    for (const [index, { handler }] of readers.entries()) {
      await vi.waitFor(() => expect(distinct(handler)).toEqual([topics[index]]), waitOptions);
    }
    await Promise.all(readers.map(({ subscription }) => subscription.close()));
  });

  it('is not rebalanced when a static member restarts', async ({ open }) => {
    const topic = await createTopic(fixture.brokers, { numPartitions: 2 });
    const request = toSubscription(topic);
    const options = { sessionTimeoutMs: 10_000, heartbeatIntervalMs: 200 };
    const neighbour = read(
      { ...request, groupInstanceId: 'a' },
      new RecordingHandler(),
      open(options),
    );
    const before = read(
      { ...request, groupInstanceId: 'b' },
      new RecordingHandler(),
      open(options),
    );
    await vi.waitFor(() => expect(before.handler.partitions.size).toBe(1), waitOptions);
    await vi.waitFor(() => expect(neighbour.handler.partitions.size).toBe(1), waitOptions);
    const { length } = neighbour.handler.log;
    await before.subscription.close();
    const after = read({ ...request, groupInstanceId: 'b' }, new RecordingHandler(), open(options));
    await vi.waitFor(() => expect(after.handler.partitions.size).toBe(1), waitOptions);
    await sleep(1_000);
    expect(neighbour.handler.log).toHaveLength(length);
    await Promise.all([neighbour, after].map(({ subscription }) => subscription.close()));
  });

  it('has a lag, that grows when nothing is committed', async () => {
    const topic = await createTopic(fixture.brokers);
    await append(fixture.driver, topic, ['a', 'b', 'c']);
    const request = toSubscription(topic);
    const { groupId } = request;
    const { handler, subscription } = read(request);
    await vi.waitFor(() => expect(handler.received).toHaveLength(3), waitOptions);
    const lagOf = (committed: bigint, end: bigint): unknown => [
      { groupId, topic, partitions: [{ partition: 0, committed, end, lag: end - committed }] },
    ];
    expect(await fixture.driver.lag(topic)).toEqual(lagOf(0n, 3n));
    await subscription.commit(new Map([[0, 2n]]));
    expect(await fixture.driver.lag(topic, groupId)).toEqual(lagOf(2n, 3n));
    await append(fixture.driver, topic, ['d']);
    expect(await fixture.driver.lag(topic, groupId)).toEqual(lagOf(2n, 4n));
    await subscription.close();
    expect(await fixture.driver.lag(topic, 'no-such-group')).toEqual([
      {
        groupId: 'no-such-group',
        topic,
        partitions: [{ partition: 0, committed: undefined, end: 4n, lag: 4n }],
      },
    ]);
  });
}

import { expect } from 'vitest';
import { append, read, request, testOptions } from './conformance-requests.js';
import { type ConformanceTest, groupOf } from './conformance-target.js';
import { commitAll, distinct, RecordingHandler } from './recording-handler.js';

/** Registers the tests of groups and their members. */
export function testGroups(it: ConformanceTest): void {
  it('each receive all records', testOptions, async ({ connect, newTopic, until }) => {
    const driver = await connect();
    const topic = await newTopic(1);
    const readers = ['one', 'two'].map((name) =>
      read(driver, request(topic, { groupId: `${name}-${topic}` })),
    );
    await append(driver, topic, ['a', 'b']);
    for (const { handler } of readers) {
      await until(() => expect(handler.values).toEqual(['a', 'b']));
    }
  });

  it(
    'may read several topics, each with members of its own',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topics = await Promise.all([newTopic(2), newTopic(2)]);
      const groupId = groupOf(topics.join('-'));
      const readers = topics.map((topic) => read(driver, request(topic, { groupId })));
      for (const topic of topics) {
        await append(driver, topic, [`a of ${topic}`]);
        await append(driver, { topic, partition: 1 }, [`b of ${topic}`]);
      }
      for (const [index, { handler }] of readers.entries()) {
        const wanted = [`a of ${topics[index]}`, `b of ${topics[index]}`];
        await until(() => expect(distinct(handler).toSorted()).toEqual(wanted));
      }
    },
  );

  it(
    'share the partitions, and take over from a member that leaves',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const topic = await newTopic(4);
      const [one, two] = await Promise.all([connect(), connect()]);
      const first = read(one, request(topic));
      await until(() => expect(first.handler.partitions.size).toBe(4));
      const second = read(two, request(topic));
      await until(() => {
        expect(first.handler.partitions.size).toBe(2);
        expect(second.handler.partitions.size).toBe(2);
        expect(new Set([...first.handler.partitions, ...second.handler.partitions]).size).toBe(4);
      });
      expect(first.handler.log.some((line) => line.startsWith('revoked'))).toBe(true);
      await second.subscription.close();
      expect(second.handler.partitions.size).toBe(0);
      await until(() => expect(first.handler.partitions.size).toBe(4));
    },
  );

  it(
    'let a member commit while it drains; the next member continues after that',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const topic = await newTopic(1);
      const [one, two] = await Promise.all([connect(), connect()]);
      await append(one, topic, ['a', 'b']);
      const onRevoked = (): Promise<void> => commitAll(first.subscription, first.handler);
      const first = read(one, request(topic), new RecordingHandler({ onRevoked }));
      await until(() => expect(first.handler.values).toEqual(['a', 'b']));
      const second = read(two, request(topic));
      await first.subscription.close();
      await append(two, topic, ['c']);
      await until(() => expect(second.handler.values).toEqual(['c']));
    },
  );

  it(
    'refuse a commit for a partition of another member',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const topic = await newTopic(2);
      const [one, two] = await Promise.all([connect(), connect()]);
      const first = read(one, request(topic));
      const second = read(two, request(topic));
      await until(() =>
        expect([first.handler.partitions.size, second.handler.partitions.size]).toEqual([1, 1]),
      );
      const [foreign = -1] = second.handler.partitions;
      const committed = first.subscription.commit(new Map([[foreign, 1n]]));
      await expect(committed).rejects.toMatchObject({ code: 'STREAM_ASSIGNMENT_LOST' });
    },
  );

  it('show their lag', testOptions, async ({ connect, newTopic, until }) => {
    const driver = await connect();
    const topic = await newTopic(1);
    await append(driver, topic, ['a', 'b', 'c']);
    const { handler, subscription } = read(driver, request(topic));
    await until(() => expect(handler.received).toHaveLength(3));
    const next = (handler.received[1]?.offset ?? 0n) + 1n;
    await subscription.commit(new Map([[0, next]]));
    const groupId = groupOf(topic);
    const [group, ...others] = await driver.lag(topic, groupId);
    expect(others).toEqual([]);
    expect(group).toMatchObject({ groupId, topic });
    expect(group?.partitions).toMatchObject([{ partition: 0, committed: next, lag: 1n }]);
    expect((await driver.lag(topic)).map(({ groupId }) => groupId)).toEqual([groupId]);
    expect(await driver.lag(topic, 'no such group')).toSatisfy(
      (lags: readonly { partitions: readonly { committed: unknown }[] }[]) =>
        lags.every(({ partitions }) => partitions.every((one) => one.committed === undefined)),
    );
  });
}

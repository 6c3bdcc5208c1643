import { randomUUID } from 'node:crypto';
import { expect, vi } from 'vitest';
import { offsetBeginning, offsetEnd } from '../src/driver.js';
import { append, read, request, testOptions } from './conformance-requests.js';
import type { ConformanceTarget, ConformanceTest } from './conformance-target.js';
import { commitAll, RecordingHandler } from './recording-handler.js';

/** Registers the tests of reading with a driver. */
export function testReading(it: ConformanceTest, target: () => ConformanceTarget): void {
  it(
    'starts at the end, and then delivers every record',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await append(driver, topic, ['old']);
      const { handler } = read(driver, request(topic, { startOffset: offsetEnd }));
      await until(() => expect([...handler.partitions]).toEqual([0]));
      let appended = 0;
      await until(async () => {
        await append(driver, topic, [`new ${appended++}`]);
        expect(handler.received.length).toBeGreaterThan(0);
      });
      await until(() => expect(handler.values.at(-1)).toBe(`new ${appended - 1}`));
      expect(handler.values).not.toContain('old');
      const [first = ''] = handler.values;
      const begun = Number(first.slice('new '.length));
      expect(handler.values).toEqual(
        Array.from({ length: appended - begun }, (_, index) => `new ${begun + index}`),
      );
    },
  );

  it('starts at an offset', testOptions, async ({ connect, newTopic, until }) => {
    const driver = await connect();
    const topic = await newTopic(1);
    await append(driver, topic, ['a', 'b', 'c']);
    const all = read(driver, request(topic, { groupId: `all-${topic}` }));
    await until(() => expect(all.handler.received).toHaveLength(3));
    const startOffset = all.handler.received[1]?.offset ?? 0n;
    const { handler } = read(driver, request(topic, { startOffset }));
    await until(() => expect(handler.values).toEqual(['b', 'c']));
  });

  it(
    'continues after committed records, with any start offset',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await append(driver, topic, ['a', 'b', 'c']);
      const first = read(driver, request(topic));
      await until(() => expect(first.handler.received).toHaveLength(3));
      const next = (first.handler.received[0]?.offset ?? 0n) + 1n;
      await first.subscription.commit(new Map([[0, next]]));
      await first.subscription.close();
      for (const startOffset of [offsetBeginning, offsetEnd]) {
        const { handler, subscription } = read(driver, request(topic, { startOffset }));
        await until(() => expect(handler.values).toEqual(['b', 'c']));
        await subscription.close();
      }
    },
  );

  it(
    'delivers uncommitted records again, also before the first commit',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      const subscribed = request(topic, { startOffset: offsetEnd });
      const first = read(driver, subscribed);
      await until(async () => {
        await append(driver, topic, ['a']);
        expect(first.handler.received.length).toBeGreaterThan(0);
      });
      const [lost] = first.handler.received;
      await first.subscription.close();
      const { handler } = read(driver, subscribed);
      await until(() => expect(handler.received[0]?.offset).toBe(lost?.offset));
    },
  );

  it(
    'waits for a partition whose handler is busy, and still reads the others',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(2);
      const capacity = Promise.withResolvers<void>();
      const calls = [0, 0];
      const onRecords = (partition: number): Promise<void> => {
        calls[partition] = (calls[partition] ?? 0) + 1;
        return partition === 0 ? capacity.promise : Promise.resolve();
      };
      const { handler } = read(driver, request(topic), new RecordingHandler({ onRecords }));
      await append(driver, topic, ['a']);
      await until(() => expect(handler.values).toEqual(['a']));
      await append(driver, topic, ['b']);
      await append(driver, { topic, partition: 1 }, ['x']);
      await until(() => expect(handler.values).toContain('x'));
      await append(driver, { topic, partition: 1 }, ['y']);
      await until(() => expect(handler.values).toContain('y'));
      expect(calls[0]).toBe(1);
      capacity.resolve();
      await until(() => expect(handler.values.toSorted()).toEqual(['a', 'b', 'x', 'y']));
    },
  );

  it(
    'stays in the group while records are handled for a long time',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await append(driver, topic, ['a']);
      const onRecords = (): Promise<void> =>
        new Promise((resolve) => setTimeout(resolve, target().sessionMs * 1.3));
      const { handler, subscription } = read(
        driver,
        request(topic),
        new RecordingHandler({ onRecords }),
      );
      await until(() => expect(handler.values).toEqual(['a']));
      await append(driver, topic, ['b']);
      await vi.waitFor(() => expect(handler.values).toEqual(['a', 'b']), {
        timeout: target().sessionMs * 1.3 + target().settleMs,
      });
      await commitAll(subscription, handler);
      expect(handler.log).toEqual(['assigned 0']);
    },
  );

  it('starts when a missing topic is created', testOptions, async ({ connect, until }) => {
    const driver = await connect();
    const topic = `t-${randomUUID()}`;
    const { handler } = read(driver, request(topic));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await target().createTopic(topic, 1);
    await append(driver, topic, ['a']);
    await until(() => expect(handler.values).toEqual(['a']));
  });
}

import { randomUUID } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import {
  type Driver,
  type DriverSubscription,
  offsetBeginning,
  offsetEnd,
  type SubscriptionRequest,
} from '../src/driver.js';
import type { OutgoingRecord } from '../src/record.js';
import {
  appendTo,
  type Conformance,
  type ConformanceTarget,
  groupOf,
} from './conformance-target.js';
import { commitAll, RecordingHandler } from './recording-handler.js';

const patience = { timeout: 120_000 };

function outgoing(text: string, fields: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { key: Buffer.from(text), value: Buffer.from(text), headers: {}, ...fields };
}

async function append(
  driver: Driver,
  topic: string,
  texts: readonly string[],
  partition = 0,
): Promise<void> {
  const records = texts.map((text) => outgoing(text));
  await appendTo(driver, { topic, partition, records });
}

function request(topic: string, fields: Partial<SubscriptionRequest> = {}): SubscriptionRequest {
  return {
    topic,
    groupId: groupOf(topic),
    groupInstanceId: undefined,
    startOffset: offsetBeginning,
    drainMs: 2_000,
    ...fields,
  };
}

interface Reader {
  readonly handler: RecordingHandler;
  readonly subscription: DriverSubscription;
}

function read(
  driver: Driver,
  subscribed: SubscriptionRequest,
  handler: RecordingHandler = new RecordingHandler(),
): Reader {
  return { handler, subscription: driver.subscribe(subscribed, handler) };
}

export function testAppending(
  { connect, topic: newTopic, until }: Conformance,
  target: () => ConformanceTarget,
): void {
  it('gives back what was appended, in order', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(2);
    const began = Date.now();
    const records = [
      outgoing('a', { headers: { traceparent: '00-1', ce_id: 'ü', empty: '' } }),
      outgoing('b', { key: null }),
      outgoing('c', { value: null }),
      outgoing('d', { key: Buffer.from([0, 255, 128]), value: Buffer.from([255, 0]) }),
    ];
    await appendTo(driver, { topic, partition: 1, records });
    await append(driver, topic, ['e'], 1);
    const { handler } = read(driver, request(topic));
    await until(() => expect(handler.taken).toHaveLength(5));
    for (const [index, record] of [...records, outgoing('e')].entries()) {
      expect(handler.taken[index]).toMatchObject({ ...record, topic, partition: 1 });
    }
    expect(handler.taken[1]?.headers).toEqual({});
    const offsets = handler.taken.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.toSorted((a, b) => Number(a - b)));
    expect(new Set(offsets).size).toBe(5);
    for (const { timestampMs } of handler.taken) {
      expect(Math.abs(timestampMs - began)).toBeLessThan(60_000);
    }
  });

  it('gives back thousands of records, none left out', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    const texts = Array.from({ length: 5_000 }, (_, index) => `record ${index}`);
    for (let from = 0; from < texts.length; from += 500) {
      await append(driver, topic, texts.slice(from, from + 500));
    }
    const { handler } = read(driver, request(topic));
    await until(() => expect(handler.taken).toHaveLength(texts.length));
    expect(handler.values).toEqual(texts);
  });

  it('writes nothing when one of the records is too large', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    const value = Buffer.alloc(target().tooLargeBytes);
    const records = [outgoing('small'), outgoing('large', { value }), outgoing('small')];
    const appended = appendTo(driver, { topic, partition: 0, records });
    await expect(appended).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
    await append(driver, topic, ['after']);
    const { handler } = read(driver, request(topic));
    await until(() => expect(handler.values).toEqual(['after']));
  });

  it('knows the partitions of a topic', patience, async () => {
    const driver = await connect();
    expect(await driver.partitionCount(await newTopic(3))).toBe(3);
  });

  it('answers, and after closing it refuses', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    await driver.ping();
    await driver.close();
    await driver.close();
    await expect(append(driver, topic, ['a'])).rejects.toMatchObject({ code: 'STREAM_CLOSED' });
  });
}

export function testReading(
  { connect, topic: newTopic, until }: Conformance,
  target: () => ConformanceTarget,
): void {
  it('begins at the end, and then gives everything', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    await append(driver, topic, ['old']);
    const { handler } = read(driver, request(topic, { startOffset: offsetEnd }));
    await until(() => expect([...handler.held]).toEqual([0]));
    let appended = 0;
    await until(async () => {
      await append(driver, topic, [`new ${appended++}`]);
      expect(handler.taken.length).toBeGreaterThan(0);
    });
    await until(() => expect(handler.values.at(-1)).toBe(`new ${appended - 1}`));
    expect(handler.values).not.toContain('old');
    const [first = ''] = handler.values;
    const begun = Number(first.slice('new '.length));
    expect(handler.values).toEqual(
      Array.from({ length: appended - begun }, (_, index) => `new ${begun + index}`),
    );
  });

  it('begins at a number', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    await append(driver, topic, ['a', 'b', 'c']);
    const all = read(driver, request(topic, { groupId: 'all' }));
    await until(() => expect(all.handler.taken).toHaveLength(3));
    const startOffset = all.handler.taken[1]?.offset ?? 0n;
    const { handler } = read(driver, request(topic, { startOffset }));
    await until(() => expect(handler.values).toEqual(['b', 'c']));
  });

  it('goes on after what was committed, wherever a newcomer wants to begin', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    await append(driver, topic, ['a', 'b', 'c']);
    const first = read(driver, request(topic));
    await until(() => expect(first.handler.taken).toHaveLength(3));
    const next = (first.handler.taken[0]?.offset ?? 0n) + 1n;
    await first.subscription.commit(new Map([[0, next]]));
    await first.subscription.close();
    for (const startOffset of [offsetBeginning, offsetEnd]) {
      const { handler, subscription } = read(driver, request(topic, { startOffset }));
      await until(() => expect(handler.values).toEqual(['b', 'c']));
      await subscription.close();
    }
  });

  it('gives again what was not committed, also before the first commit', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    const subscribed = request(topic, { startOffset: offsetEnd });
    const first = read(driver, subscribed);
    await until(async () => {
      await append(driver, topic, ['a']);
      expect(first.handler.taken.length).toBeGreaterThan(0);
    });
    const [lost] = first.handler.taken;
    await first.subscription.close();
    const { handler } = read(driver, subscribed);
    await until(() => expect(handler.taken[0]?.offset).toBe(lost?.offset));
  });

  it('waits for a partition that has enough, and not with the others', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(2);
    const room = Promise.withResolvers<void>();
    const calls = [0, 0];
    const onRecords = (partition: number): Promise<void> => {
      calls[partition] = (calls[partition] ?? 0) + 1;
      return partition === 0 ? room.promise : Promise.resolve();
    };
    const { handler } = read(driver, request(topic), new RecordingHandler({ onRecords }));
    await append(driver, topic, ['a']);
    await until(() => expect(handler.values).toEqual(['a']));
    await append(driver, topic, ['b']);
    await append(driver, topic, ['x'], 1);
    await until(() => expect(handler.values).toContain('x'));
    await append(driver, topic, ['y'], 1);
    await until(() => expect(handler.values).toContain('y'));
    expect(calls[0]).toBe(1);
    room.resolve();
    await until(() => expect(handler.values.toSorted()).toEqual(['a', 'b', 'x', 'y']));
  });

  it('keeps its membership while records are handled for long', patience, async () => {
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
  });

  it('begins when a topic that was missing is made', patience, async () => {
    const driver = await connect();
    const topic = `t-${randomUUID()}`;
    const { handler } = read(driver, request(topic));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await target().createTopic(topic, 1);
    await append(driver, topic, ['a']);
    await until(() => expect(handler.values).toEqual(['a']));
  });
}

export function testGroups({ connect, topic: newTopic, until }: Conformance): void {
  it('have everything each', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    const readers = ['one', 'two'].map((groupId) => read(driver, request(topic, { groupId })));
    await append(driver, topic, ['a', 'b']);
    for (const { handler } of readers) {
      await until(() => expect(handler.values).toEqual(['a', 'b']));
    }
  });

  it('may read several topics, each with members of its own', patience, async () => {
    const driver = await connect();
    const topics = await Promise.all([newTopic(2), newTopic(2)]);
    const groupId = groupOf(topics.join('-'));
    const readers = topics.map((topic) => read(driver, request(topic, { groupId })));
    for (const topic of topics) {
      await append(driver, topic, [`a of ${topic}`]);
      await append(driver, topic, [`b of ${topic}`], 1);
    }
    for (const [index, { handler }] of readers.entries()) {
      const wanted = [`a of ${topics[index]}`, `b of ${topics[index]}`];
      await until(() => expect(handler.values.toSorted()).toEqual(wanted));
    }
  });

  it('share the partitions, and take over from a member that leaves', patience, async () => {
    const topic = await newTopic(4);
    const [one, two] = await Promise.all([connect(), connect()]);
    const first = read(one, request(topic));
    await until(() => expect(first.handler.held.size).toBe(4));
    const second = read(two, request(topic));
    await until(() => {
      expect(first.handler.held.size).toBe(2);
      expect(second.handler.held.size).toBe(2);
      expect(new Set([...first.handler.held, ...second.handler.held]).size).toBe(4);
    });
    expect(first.handler.log.some((line) => line.startsWith('revoked'))).toBe(true);
    await second.subscription.close();
    expect(second.handler.held.size).toBe(0);
    await until(() => expect(first.handler.held.size).toBe(4));
  });

  it('let a member commit while it drains, and the next one go on there', patience, async () => {
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
  });

  it('refuse a commit for a partition that is not the member’s', patience, async () => {
    const topic = await newTopic(2);
    const [one, two] = await Promise.all([connect(), connect()]);
    const first = read(one, request(topic));
    const second = read(two, request(topic));
    await until(() => expect([first.handler.held.size, second.handler.held.size]).toEqual([1, 1]));
    const [foreign = -1] = second.handler.held;
    const committed = first.subscription.commit(new Map([[foreign, 1n]]));
    await expect(committed).rejects.toMatchObject({ code: 'STREAM_ASSIGNMENT_LOST' });
  });

  it('show how far behind they are', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    await append(driver, topic, ['a', 'b', 'c']);
    const { handler, subscription } = read(driver, request(topic));
    await until(() => expect(handler.taken).toHaveLength(3));
    const next = (handler.taken[1]?.offset ?? 0n) + 1n;
    await subscription.commit(new Map([[0, next]]));
    const groupId = groupOf(topic);
    const [group, ...others] = await driver.lag(topic, groupId);
    expect(others).toEqual([]);
    expect(group).toMatchObject({ groupId, topic });
    expect(group?.partitions).toMatchObject([{ partition: 0, committed: next, lag: 1n }]);
    expect((await driver.lag(topic)).map(({ groupId }) => groupId)).toEqual([groupId]);
    expect(await driver.lag(topic, 'nobody')).toSatisfy(
      (lags: readonly { partitions: readonly { committed: unknown }[] }[]) =>
        lags.every(({ partitions }) => partitions.every((one) => one.committed === undefined)),
    );
  });
}

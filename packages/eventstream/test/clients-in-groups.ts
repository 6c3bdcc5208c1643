import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  collectIds,
  newTopicName,
  publishNumbers,
  type StartClientFixture,
} from './client-fixture.js';

const fromStart = { offset: -2 } as const;

/** Registers the tests of groups whose members join and leave. */
export function testGroupsOfClients(start: StartClientFixture): void {
  it('two event names in one group do not commit each other’s events', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const first = await open();
    const group = { topic, groupId: topic, ...fromStart };
    const calls: string[] = [];
    const later = { ...group, eventName: 'placed', concurrency: 4 };
    first.register({ ...later, callback: collectIds(calls) });
    // Does not end by itself, so its event is unfinished when the client closes.
    const endless = { ...group, eventName: 'paid', concurrency: 4 };
    first.register({ ...endless, callback: ({ signal }) => ended(signal) });
    await first.publish({ topic, eventName: 'paid', id: 'paid', key: 'a' });
    await first.publish({ topic, eventName: 'shipped', id: 'unwanted', key: 'b' });
    await first.publish({ topic, eventName: 'placed', id: 'placed', key: 'c' });
    await until(() => expect(calls).toEqual(['placed']));
    await sleep(500);
    await first.close({ drainMs: 200 });

    const second = await open();
    const got: string[] = [];
    for (const eventName of ['placed', 'paid']) {
      second.register({ ...group, eventName, callback: collectIds(got) });
    }
    await until(() => expect(got).toEqual(['paid', 'placed']));
  });

  it('equal registrations share the events; with other options they are refused', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const client = await open();
    const same = { topic, eventName: 'placed', groupId: topic, ...fromStart };
    const got: string[][] = [[], []];
    for (const mine of got) {
      client.register({ ...same, callback: collectIds(mine) });
    }
    const other = { ...same, handlerTimeoutMs: 1_000, callback: () => undefined };
    expect(() => client.register(other)).toThrow(
      expect.objectContaining({
        code: 'EVENT_ALREADY_REGISTERED',
        message: expect.stringContaining('topic and event already registered'),
      }),
    );
    await publishNumbers(client, topic, 1, 2, 3, 4);
    await until(() => expect(got.flat().toSorted()).toEqual(['1', '2', '3', '4']));
    expect(got.map(({ length }) => length)).toEqual([2, 2]);
  });

  it('an event that was not handled before the first commit is delivered again, also with a start at the end', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const first = await open();
    await publishNumbers(first, topic, 1);
    const atEnd = { topic, groupId: topic, offset: -1 };
    const tried: string[] = [];
    first.register({
      ...atEnd,
      callback: ({ signal }, event) => {
        tried.push(`${event?.id}`);
        return ended(signal);
      },
    });
    // The consumer has started when the group has a committed offset.
    await until(async () => {
      const [lag] = await first.lag(topic, topic);
      expect(lag?.partitions[0]?.committed).toBe(1n);
    });
    await publishNumbers(first, topic, 2);
    await until(() => expect(tried).toEqual(['2']));
    await first.close({ drainMs: 100 });

    const second = await open();
    await publishNumbers(second, topic, 3);
    const got: string[] = [];
    second.register({ ...atEnd, callback: collectIds(got) });
    await until(() => expect(got).toEqual(['2', '3']));
    await second.close();

    // A committed offset takes precedence over any start offset.
    const third = await open();
    await publishNumbers(third, topic, 4);
    const rest: string[] = [];
    third.register({ ...atEnd, ...fromStart, callback: collectIds(rest) });
    await until(() => expect(rest).toEqual(['4']));
  });

  it('a topic that does not exist yet is read from its first event, once it exists', async ({
    onTestFinished,
  }) => {
    const { open, until } = start(onTestFinished);
    const topic = newTopicName();
    const client = await open({}, { topicRefreshMs: 300 });
    const got: string[] = [];
    client.register({
      topic,
      groupId: topic,
      callback: collectIds(got),
    });
    // Kafka reports it as missing; the log creates it for the subscriber.
    await until(async () => {
      const [consumer] = (await client.health()).consumers;
      const isReported = consumer?.interruption?.code === 'TOPIC_NOT_FOUND';
      expect(isReported || consumer?.partitions.length).toBeTruthy();
    });
    await publishNumbers(client, topic, 1, 2);
    await until(() => expect(got).toEqual(['1', '2']));
    await until(async () => expect((await client.health()).healthy).toBe(true));
  });

  it('closing finishes and commits events that are being handled, and flushes what their handlers publish', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const first = await open();
    const follow = await newTopic();
    const begun = Promise.withResolvers<void>();
    const handled: string[] = [];
    first.register({
      topic,
      groupId: topic,
      ...fromStart,
      callback: async (_ctx, event) => {
        begun.resolve();
        await sleep(1_000);
        handled.push(`${event?.id}`);
        await publishNumbers(first, follow, 7);
      },
    });
    await publishNumbers(first, topic, 1, 2);
    await begun.promise;
    await first.close();
    expect(handled).toEqual(['1']);

    const second = await open();
    const got: string[] = [];
    const callback = collectIds(got);
    second.register({ topic, groupId: topic, ...fromStart, callback });
    second.register({ topic: follow, ...fromStart, callback });
    await until(() => expect(got.toSorted()).toEqual(['2', '7']));
  });

  it('a rebalance while events are handled repeats none and loses none', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic(2);
    const counts = new Map<string, number>();
    const callback = async (_ctx: unknown, event: { id: string } | null): Promise<void> => {
      const id = `${event?.id}`;
      counts.set(id, (counts.get(id) ?? 0) + 1);
      await sleep(100);
    };
    const [first, second] = await Promise.all([open(), open()]);
    const total = 60;
    first.register({ topic, groupId: topic, ...fromStart, callback });
    const ids = Array.from({ length: total }, (_, index) => `${index}`);
    const events = ids.map((id) => ({ topic, eventName: 'placed', id }));
    await Promise.all(events.map((event) => first.publish(event)));
    await until(() => expect(counts.size).toBeGreaterThan(4));
    second.register({ topic, groupId: topic, ...fromStart, callback });
    await until(async () =>
      expect((await second.health()).consumers[0]?.partitions).toHaveLength(1),
    );
    expect(counts.size).toBeLessThan(total);
    await until(() => expect(counts.size).toBe(total));
    expect([...counts.values()].every((count) => count === 1)).toBe(true);
  });

  it('a handler that is slower than the session stays in the group', async ({ onTestFinished }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const quick = { sessionTimeoutMs: 2_000, heartbeatIntervalMs: 200 };
    const [first, second] = await Promise.all([open({}, quick), open({}, quick)]);
    const handled: string[] = [];
    const slow = async ({ signal }: { signal: AbortSignal }, event: { id: string } | null) => {
      await sleep(5_000);
      handled.push(`${event?.id} ${signal.aborted}`);
    };
    const group = { topic, groupId: topic, ...fromStart };
    first.register({ ...group, callback: slow });
    await publishNumbers(first, topic, 1);
    await until(async () => expect((await first.health()).consumers[0]?.partitions).toEqual([0]));
    await until(() => expect(handled).toEqual(['1 false']));
    await first.close();
    const got: string[] = [];
    second.register({ ...group, callback: collectIds(got) });
    await publishNumbers(second, topic, 2);
    await until(() => expect(got).toEqual(['2']));
  });
}

/** Returns a promise that rejects when the signal is aborted. */
function ended(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}

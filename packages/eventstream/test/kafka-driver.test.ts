import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaBroker, startKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type Driver,
  type DriverSubscription,
  offsetBeginning,
  offsetEnd,
  type SubscriptionRequest,
} from '../src/driver.js';
import type { KafkaDriverOptions } from '../src/drivers/kafka/kafka-options.js';
import { kafkaDrivers } from './kafka-drivers.js';
import {
  administer,
  append,
  appendTimeoutMs,
  createTopic,
  toSubscription,
  uniqueName,
} from './kafka-topic.js';
import { commitAll, offsetsAfter, RecordingHandler } from './recording-handler.js';

const patience = { timeout: 15_000, interval: 20 };

let kafka: KafkaBroker;
beforeAll(async () => {
  kafka = await startKafka();
}, 240_000);
afterAll(() => kafka?.close());

describeWithKafka.each(kafkaDrivers)('the Kafka driver on $name', ({ create }) => {
  const drivers: Driver[] = [];
  let driver: Driver;
  beforeAll(() => {
    driver = create({ brokers: kafka.brokers });
  });
  afterEach(async () => {
    await Promise.all(drivers.splice(0).map((one) => one.close()));
  });
  afterAll(() => driver.close());

  function open(options: Partial<KafkaDriverOptions> = {}): Driver {
    const opened = create({ brokers: kafka.brokers, ...options });
    drivers.push(opened);
    return opened;
  }

  function read(
    request: SubscriptionRequest,
    handler = new RecordingHandler(),
    from = driver,
  ): { handler: RecordingHandler; subscription: DriverSubscription } {
    return { handler, subscription: from.subscribe(request, handler) };
  }

  describe('records', () => {
    it('come as they were appended, in order', async () => {
      const topic = await createTopic(kafka.brokers);
      const records = [
        {
          key: Buffer.from('k'),
          value: Buffer.from('v'),
          headers: { ce_type: 'login', name: 'é' },
        },
        { key: null, value: Buffer.alloc(0), headers: {} },
        { key: Buffer.from([0, 255]), value: null, headers: {} },
      ];
      const before = Date.now();
      await driver.append({ topic, partition: 0, records, timeoutMs: appendTimeoutMs });
      await append(driver, topic, ['later']);
      const { handler, subscription } = read(toSubscription(topic));
      await vi.waitFor(() => expect(handler.taken).toHaveLength(4), patience);
      await subscription.close();
      records.forEach((record, index) => {
        expect(handler.taken[index]).toMatchObject({
          topic,
          partition: 0,
          offset: BigInt(index),
          ...record,
        });
      });
      const written = handler.taken[0]?.timestampMs ?? 0;
      expect(written).toBeGreaterThanOrEqual(before);
      expect(written).toBeLessThanOrEqual(Date.now());
    });

    it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
      'are written and read in %s, also as the brokers compress it',
      async (compression) => {
        // A topic with a codec of its own makes the broker unpack and pack again what it is sent.
        const byTopic = compression === 'gzip' ? 'lz4' : compression;
        const configEntries = [{ name: 'compression.type', value: byTopic }];
        const repacked = await createTopic(kafka.brokers, { configEntries });
        const kept = await createTopic(kafka.brokers);
        const values = Array.from({ length: 300 }, (_, index) => `${'text '.repeat(100)}${index}`);
        await append(open({ compression }), kept, values);
        await append(open({ compression: 'gzip' }), repacked, values);
        for (const topic of [kept, repacked]) {
          const { handler, subscription } = read(toSubscription(topic));
          await vi.waitFor(() => expect(handler.values).toEqual(values), patience);
          await subscription.close();
        }
      },
    );

    it('over the size limit are refused, and those beside them in other requests are not', async () => {
      const topic = await createTopic(kafka.brokers);
      const large = 'x'.repeat(1_100_000);
      await append(driver, topic, ['before']);
      await expect(append(driver, topic, ['small', large])).rejects.toMatchObject({
        code: 'EVENT_TOO_LARGE',
      });
      await append(driver, topic, ['after']);
      const { handler, subscription } = read(toSubscription(topic));
      await vi.waitFor(() => expect(handler.values).toEqual(['before', 'after']), patience);
      await subscription.close();
    });

    it.each(['leader', 'none'] as const)('are written with acks of %s', async (acks) => {
      const topic = await createTopic(kafka.brokers);
      await append(open({ acks }), topic, ['a']);
      const { handler, subscription } = read(toSubscription(topic));
      await vi.waitFor(() => expect(handler.values).toEqual(['a']), patience);
      await subscription.close();
    });

    it('of one partition wait for their handler, those of others do not', async () => {
      const topic = await createTopic(kafka.brokers, { numPartitions: 2 });
      const slow = Promise.withResolvers<void>();
      const handler = new RecordingHandler({
        onRecords: async (partition) => (partition === 0 ? slow.promise : undefined),
      });
      const { subscription } = read(toSubscription(topic), handler);
      await append(driver, topic, ['slow']);
      await vi.waitFor(() => expect(handler.values).toEqual(['slow']), patience);
      await append(driver, topic, ['behind']);
      for (const value of ['a', 'b', 'c']) {
        await append(driver, topic, [value], 1);
        await vi.waitFor(() => expect(handler.values).toContain(value), patience);
      }
      expect(handler.values).not.toContain('behind');
      slow.resolve();
      await vi.waitFor(() => expect(handler.values).toContain('behind'), patience);
      await subscription.close();
    });
  });

  describe('topics', () => {
    it('are made when records are for them', async () => {
      expect(await driver.partitionCount(uniqueName())).toBe(3);
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
      expect(await administer(kafka.brokers, (admin) => admin.listTopics())).not.toContain(topic);
    });

    it('with names that Kafka refuses are refused', async () => {
      await expect(driver.partitionCount('not a name')).rejects.toMatchObject({
        code: 'EVENT_INVALID',
      });
    });

    it('may appear after their subscription, which then reads all of them', async () => {
      const topic = uniqueName();
      const { handler, subscription } = read(toSubscription(topic, { startOffset: offsetEnd }));
      await vi.waitFor(() => expect(handler.interruptions).not.toEqual([]), patience);
      expect(handler.interruptions[0]).toMatchObject({ code: 'TOPIC_NOT_FOUND' });
      await driver.partitionCount(topic);
      await append(driver, topic, ['first']);
      await vi.waitFor(() => expect(handler.values).toEqual(['first']), patience);
      await subscription.close();
    });

    it('that gain partitions are read whole', async () => {
      const topic = await createTopic(kafka.brokers);
      const watchful = open({ topicRefreshMs: 300 });
      const request = toSubscription(topic, { startOffset: offsetEnd });
      const { handler, subscription } = read(request, new RecordingHandler(), watchful);
      await vi.waitFor(() => expect(handler.log).toEqual(['assigned 0']), patience);
      const topicPartitions = [{ topic, count: 2 }];
      await administer(kafka.brokers, (admin) => admin.createPartitions({ topicPartitions }));
      await vi.waitFor(() => append(driver, topic, ['new'], 1), patience);
      await vi.waitFor(() => expect(handler.values).toEqual(['new']), patience);
      await subscription.close();
    });
  });

  describe('reading begins', () => {
    it.each<[string, bigint, string[]]>([
      ['at the end', offsetEnd, ['d']],
      ['at the beginning', offsetBeginning, ['a', 'b', 'c', 'd']],
      ['at a number', 1n, ['b', 'c', 'd']],
    ])('%s', async (_, startOffset, expected) => {
      const topic = await createTopic(kafka.brokers);
      await append(driver, topic, ['a', 'b', 'c']);
      const { handler, subscription } = read(toSubscription(topic, { startOffset }));
      await vi.waitFor(() => expect(handler.log).toEqual(['assigned 0']), patience);
      await vi.waitFor(async () => {
        const [lag] = await driver.lag(topic);
        expect(lag?.partitions[0]?.committed).toBeDefined();
      }, patience);
      await append(driver, topic, ['d']);
      await vi.waitFor(() => expect(handler.values).toEqual(expected), patience);
      await subscription.close();
    });

    it('where the group has committed, whatever was asked for', async () => {
      const topic = await createTopic(kafka.brokers);
      await append(driver, topic, ['a', 'b', 'c']);
      const request = toSubscription(topic);
      const first = read(request);
      await vi.waitFor(() => expect(first.handler.values).toHaveLength(3), patience);
      await first.subscription.commit(new Map([[0, 2n]]));
      await first.subscription.close();
      const second = read({ ...request, startOffset: offsetBeginning });
      await vi.waitFor(() => expect(second.handler.values).toEqual(['c']), patience);
      await second.subscription.close();
    });

    it('at what failed before the first commit, for a group that began at the end', async () => {
      const topic = await createTopic(kafka.brokers);
      const request = toSubscription(topic, { startOffset: offsetEnd });
      const first = read(request);
      await vi.waitFor(async () => {
        const [lag] = await driver.lag(topic, request.groupId);
        expect(lag?.partitions[0]?.committed).toBe(0n);
      }, patience);
      await append(driver, topic, ['fails']);
      await vi.waitFor(() => expect(first.handler.values).toEqual(['fails']), patience);
      await first.subscription.close();
      const second = read(request);
      await vi.waitFor(() => expect(second.handler.values).toEqual(['fails']), patience);
      await second.subscription.close();
    });

    it('at the oldest record that is left, when the group was away for too long', async () => {
      const topic = await createTopic(kafka.brokers);
      await append(driver, topic, ['a', 'b', 'c', 'd']);
      const request = toSubscription(topic, { startOffset: offsetEnd });
      const groupOffsets = { groupId: request.groupId, topic };
      await administer(kafka.brokers, async (admin) => {
        await admin.setOffsets({ ...groupOffsets, partitions: [{ partition: 0, offset: '1' }] });
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
      });
      const { handler, subscription } = read(request);
      await vi.waitFor(() => expect(handler.values).toEqual(['c', 'd']), patience);
      await subscription.close();
    });
  });

  describe('a group', () => {
    const quick = { sessionTimeoutMs: 2_000, heartbeatIntervalMs: 200 };

    it('keeps a member whose handler takes longer than the session', async () => {
      const topic = await createTopic(kafka.brokers);
      await append(driver, topic, ['slow']);
      const handler = new RecordingHandler({ onRecords: () => sleep(4_000) });
      const { subscription } = read(toSubscription(topic), handler, open(quick));
      await vi.waitFor(() => expect(handler.taken).toHaveLength(1), patience);
      await sleep(4_000);
      await commitAll(subscription, handler);
      expect(handler.log).toEqual(['assigned 0']);
      expect(handler.interruptions).toEqual([]);
      await subscription.close();
    });

    it('waits in a rebalance for what is in hand', async () => {
      const topic = await createTopic(kafka.brokers, { numPartitions: 2 });
      await append(driver, topic, ['a'], 0);
      await append(driver, topic, ['b'], 1);
      const request = toSubscription(topic);
      const mine: { subscription?: DriverSubscription } = {};
      const first = new RecordingHandler({
        onRevoked: async () => {
          await sleep(1_500);
          if (mine.subscription) await commitAll(mine.subscription, first);
        },
      });
      mine.subscription = read(request, first, open(quick)).subscription;
      await vi.waitFor(() => expect(first.taken).toHaveLength(2), patience);
      const second = read(request, new RecordingHandler(), open(quick));
      await vi.waitFor(() => expect(second.handler.held.size).toBe(1), patience);
      expect(first.log.slice(0, 2)).toEqual(['assigned 0,1', 'revoked 0,1']);
      await vi.waitFor(() => expect(first.held.size).toBe(1), patience);
      await append(driver, topic, ['c'], 0);
      await append(driver, topic, ['d'], 1);
      await vi.waitFor(() => {
        expect([...first.values, ...second.handler.values].sort()).toEqual(['a', 'b', 'c', 'd']);
      }, patience);
      await Promise.all([mine.subscription.close(), second.subscription.close()]);
    });

    it('goes on without a handler that does not finish, and refuses its late commit', async () => {
      const topic = await createTopic(kafka.brokers, { numPartitions: 2 });
      await append(driver, topic, ['a'], 0);
      await append(driver, topic, ['b'], 1);
      const request = toSubscription(topic, { drainMs: 500 });
      const forever = new Promise<void>(() => undefined);
      const stuck = new RecordingHandler({
        onRecords: () => forever,
        onRevoked: () => forever,
      });
      const first = read(request, stuck, open(quick));
      await vi.waitFor(() => expect(stuck.taken).toHaveLength(2), patience);
      const early = offsetsAfter(stuck.taken);
      const second = read(request, new RecordingHandler(), open(quick));
      await vi.waitFor(() => expect(second.handler.taken).toHaveLength(1), patience);
      await expect(first.subscription.commit(early)).rejects.toMatchObject({
        code: 'STREAM_ASSIGNMENT_LOST',
      });
      await Promise.all([first.subscription.close(), second.subscription.close()]);
    });

    it('may have members for different topics', async () => {
      const topics = [await createTopic(kafka.brokers), await createTopic(kafka.brokers)];
      const groupId = uniqueName();
      const readers = topics.map((topic) => read(toSubscription(topic, { groupId })));
      for (const topic of topics) await append(driver, topic, [topic]);
      for (const [index, { handler }] of readers.entries()) {
        await vi.waitFor(() => expect(handler.values).toEqual([topics[index]]), patience);
      }
      await Promise.all(readers.map(({ subscription }) => subscription.close()));
    });

    it('does not notice the restart of a static member', async () => {
      const topic = await createTopic(kafka.brokers, { numPartitions: 2 });
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
      await vi.waitFor(() => expect(before.handler.held.size).toBe(1), patience);
      await vi.waitFor(() => expect(neighbour.handler.held.size).toBe(1), patience);
      const { length } = neighbour.handler.log;
      await before.subscription.close();
      const after = read(
        { ...request, groupInstanceId: 'b' },
        new RecordingHandler(),
        open(options),
      );
      await vi.waitFor(() => expect(after.handler.held.size).toBe(1), patience);
      await sleep(1_000);
      expect(neighbour.handler.log).toHaveLength(length);
      await Promise.all([neighbour, after].map(({ subscription }) => subscription.close()));
    });

    it('has a lag, that grows when nothing is committed', async () => {
      const topic = await createTopic(kafka.brokers);
      await append(driver, topic, ['a', 'b', 'c']);
      const request = toSubscription(topic);
      const { groupId } = request;
      const { handler, subscription } = read(request);
      await vi.waitFor(() => expect(handler.taken).toHaveLength(3), patience);
      const lagOf = (committed: bigint, end: bigint): unknown => [
        { groupId, topic, partitions: [{ partition: 0, committed, end, lag: end - committed }] },
      ];
      expect(await driver.lag(topic)).toEqual(lagOf(0n, 3n));
      await subscription.commit(new Map([[0, 2n]]));
      expect(await driver.lag(topic, groupId)).toEqual(lagOf(2n, 3n));
      await append(driver, topic, ['d']);
      expect(await driver.lag(topic, groupId)).toEqual(lagOf(2n, 4n));
      await subscription.close();
      expect(await driver.lag(topic, 'no-such-group')).toEqual([
        {
          groupId: 'no-such-group',
          topic,
          partitions: [{ partition: 0, committed: undefined, end: 4n, lag: 4n }],
        },
      ]);
    });
  });

  describe('closing', () => {
    it('takes less than a second when nothing is in hand', async () => {
      const idle = open();
      const topic = await createTopic(kafka.brokers);
      const { handler } = read(toSubscription(topic), new RecordingHandler(), idle);
      await append(idle, topic, ['a']);
      await idle.ping();
      await vi.waitFor(() => expect(handler.taken).toHaveLength(1), patience);
      const startedAt = performance.now();
      await idle.close();
      await idle.close();
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      expect(handler.log).toEqual(['assigned 0', 'revoked 0']);
    });

    it('refuses what comes after', async () => {
      const closed = open();
      await closed.close();
      const refusal = { code: 'STREAM_CLOSED' };
      await expect(append(closed, 'topic', ['a'])).rejects.toMatchObject(refusal);
      await expect(closed.ping()).rejects.toMatchObject(refusal);
      expect(() => read(toSubscription('topic'), new RecordingHandler(), closed)).toThrow(
        expect.objectContaining(refusal),
      );
    });
  });

  it('leaves the processor alone while nothing happens', async () => {
    const idle = open();
    const topic = await createTopic(kafka.brokers);
    const { handler } = read(toSubscription(topic), new RecordingHandler(), idle);
    await append(idle, topic, ['a']);
    await idle.ping();
    await vi.waitFor(() => expect(handler.taken).toHaveLength(1), patience);
    await sleep(500);
    const before = process.cpuUsage();
    await sleep(3_000);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 3_000_000).toBeLessThan(0.03);
  });
});

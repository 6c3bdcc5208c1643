import { expect, vi } from 'vitest';
import type { Driver } from '../src/driver.js';
import { type DriverFixture, waitOptions } from './kafka-driver-fixture.js';
import {
  append,
  appendInTransactions,
  appendInterleaved,
  appendTimeoutMs,
  createTopic,
  type TransactionStep,
  toSubscription,
} from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';

/** Registers tests of records that are written and read. */
export function testRecords(fixture: DriverFixture): void {
  const { it, read } = fixture;

  it('come as they were appended, in order', async () => {
    const topic = await createTopic(fixture.brokers);
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
    await fixture.driver.append({ topic, partition: 0, records, timeoutMs: appendTimeoutMs });
    await append(fixture.driver, topic, ['later']);
    const { handler, subscription } = read(toSubscription(topic));
    await vi.waitFor(() => expect(handler.received).toHaveLength(4), waitOptions);
    await subscription.close();
    records.forEach((record, index) => {
      expect(handler.received[index]).toMatchObject({
        topic,
        partition: 0,
        offset: BigInt(index),
        ...record,
      });
    });
    const written = handler.received[0]?.timestampMs ?? 0;
    expect(written).toBeGreaterThanOrEqual(before);
    expect(written).toBeLessThanOrEqual(Date.now());
  });

  it.for(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'are written and read in %s, also as the brokers compress it',
    async (compression, { open }) => {
      // A topic with a codec of its own makes the broker unpack and pack again what it is sent.
      const byTopic = compression === 'gzip' ? 'lz4' : compression;
      const configEntries = [{ name: 'compression.type', value: byTopic }];
      const repacked = await createTopic(fixture.brokers, { configEntries });
      const kept = await createTopic(fixture.brokers);
      const values = Array.from({ length: 300 }, (_, index) => `${'text '.repeat(100)}${index}`);
      await append(open({ compression }), kept, values);
      await append(open({ compression: 'gzip' }), repacked, values);
      for (const topic of [kept, repacked]) {
        const { handler, subscription } = read(toSubscription(topic));
        await vi.waitFor(() => expect(handler.values).toEqual(values), waitOptions);
        await subscription.close();
      }
    },
  );

  it('over the size limit are refused, and those beside them in other requests are not', async () => {
    const topic = await createTopic(fixture.brokers);
    const large = 'x'.repeat(1_100_000);
    await append(fixture.driver, topic, ['before']);
    await expect(append(fixture.driver, topic, ['small', large])).rejects.toMatchObject({
      code: 'EVENT_TOO_LARGE',
    });
    await append(fixture.driver, topic, ['after']);
    const { handler, subscription } = read(toSubscription(topic));
    await vi.waitFor(() => expect(handler.values).toEqual(['before', 'after']), waitOptions);
    await subscription.close();
  });

  it('without a key are refused by a topic that keeps the last one of each key', async () => {
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
    const topic = await createTopic(fixture.brokers, { configEntries });
    await append(fixture.driver, topic, ['with a key']);
    const records = [{ key: null, value: Buffer.from('without'), headers: {} }];
    const request = { topic, partition: 0, records, timeoutMs: appendTimeoutMs };
    await expect(fixture.driver.append(request)).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  });

  it.for([
    ['one fetch', 10_000_000],
    ['several fetches', 100_000],
  ] as const)(
    'of aborted transactions are left out (in %s)',
    async ([, maxPartitionBytes], { open }) => {
      const topic = await createTopic(fixture.brokers);
      const large = (name: string): string[] =>
        Array.from({ length: 6 }, (__, number) => `${name} ${number} `.padEnd(40_000, '.'));
      await appendInTransactions(fixture.brokers, topic, [
        { values: ['first'], ending: 'commit' },
        { values: large('aborted'), ending: 'abort' },
        { values: large('aborted again'), ending: 'abort' },
        { values: ['second', 'third'], ending: 'commit' },
      ]);
      await append(fixture.driver, topic, ['outside']);
      const request = toSubscription(topic);
      const reader = open({ maxPartitionBytes });
      const { handler, subscription } = read(request, new RecordingHandler(), reader);
      await vi.waitFor(() => expect(handler.values).toContain('outside'), waitOptions);
      expect(handler.values.map((value) => value.slice(0, 20))).toEqual([
        'first',
        'second',
        'third',
        'outside',
      ]);
      await subscription.close();
    },
  );

  it.for([
    ['last', 'b', 'a'],
    ['first', 'a', 'b'],
  ] as const)(
    'of aborted transactions are left out wherever reading starts (the one that began first ends %s)',
    async ([, early, late], { open }) => {
      const topic = await createTopic(fixture.brokers);
      const large = (producer: string, name: string): TransactionStep => ({
        producer,
        value: name.padEnd(40_000, '.'),
      });
      await appendInterleaved(fixture.brokers, topic, [
        large('a', 'aborted'),
        large('b', 'aborted'),
        large('a', 'aborted'),
        large('b', 'aborted'),
        { producer: early, ending: 'abort' },
        large(late, 'aborted'),
        large(early, 'first'),
        { producer: late, ending: 'abort' },
        large(late, 'second'),
        large(early, 'third'),
        { producer: late, ending: 'commit' },
        { producer: early, ending: 'commit' },
      ]);
      await append(fixture.driver, topic, ['outside']);
      const committed: [bigint, string][] = [
        [6n, 'first'],
        [8n, 'second'],
        [9n, 'third'],
        [12n, 'outside'],
      ];
      const expectCommitted = async (reader: Driver, startOffset: bigint): Promise<void> => {
        const request = toSubscription(topic, { startOffset });
        const { handler, subscription } = read(request, new RecordingHandler(), reader);
        await vi.waitFor(() => expect(handler.values).toContain('outside'), waitOptions);
        await subscription.close();
        const found = handler.received.map((one) => [
          one.offset,
          `${one.value}`.replace(/\.+$/, ''),
        ]);
        expect(found).toEqual(committed.filter(([each]) => each >= startOffset));
      };
      const starts = [0n, 1n, 2n, 3n, 5n, 7n];
      const readers = [open(), open({ maxPartitionBytes: 100_000 })];
      for (const reader of readers) {
        await Promise.all(starts.map((start) => expectCommitted(reader, start)));
      }
    },
  );

  it.for(['leader', 'none'] as const)('are written with acks of %s', async (acks, { open }) => {
    const topic = await createTopic(fixture.brokers);
    await append(open({ acks }), topic, ['a']);
    const { handler, subscription } = read(toSubscription(topic));
    await vi.waitFor(() => expect(handler.values).toEqual(['a']), waitOptions);
    await subscription.close();
  });

  it('of one partition wait for their handler, those of others do not', async () => {
    const topic = await createTopic(fixture.brokers, { numPartitions: 2 });
    const slow = Promise.withResolvers<void>();
    const handler = new RecordingHandler({
      onRecords: async (partition) => (partition === 0 ? slow.promise : undefined),
    });
    const { subscription } = read(toSubscription(topic), handler);
    await append(fixture.driver, topic, ['slow']);
    await vi.waitFor(() => expect(handler.values).toEqual(['slow']), waitOptions);
    await append(fixture.driver, topic, ['behind']);
    for (const value of ['a', 'b', 'c']) {
      await append(fixture.driver, { topic, partition: 1 }, [value]);
      await vi.waitFor(() => expect(handler.values).toContain(value), waitOptions);
    }
    expect(handler.values).not.toContain('behind');
    slow.resolve();
    await vi.waitFor(() => expect(handler.values).toContain('behind'), waitOptions);
    await subscription.close();
  });
}

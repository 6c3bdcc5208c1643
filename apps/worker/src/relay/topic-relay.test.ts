import { setTimeout as sleep } from 'node:timers/promises';
import { createMemoryDriver, createPartitioner, MemoryStream } from '@posthaste/eventstream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RecordingRelayObserver } from '../../test/recording-relay-observer.js';
import { relayGroup, TopicRelay } from './topic-relay.js';

const topic = 'orders';
const kafkaTopic = 'shop.orders';
const waitOptions = { timeout: 10_000, interval: 10 };

let source: MemoryStream;
let target: MemoryStream;
let observer: RecordingRelayObserver;
const relays: TopicRelay[] = [];
beforeEach(() => {
  source = new MemoryStream({ partitions: 4 });
  target = new MemoryStream({ partitions: 3, maxRecordBytes: 2_000 });
  observer = new RecordingRelayObserver();
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.close()));
});

const start = (): TopicRelay => {
  const relay = new TopicRelay({
    source: createMemoryDriver(source),
    target: createMemoryDriver(target),
    topic,
    kafkaTopic,
    observer,
  });
  relays.push(relay);
  return relay;
};
const partitionOf = createPartitioner('java');
let nextValue = 0;
/** Appends one record for each of 10 keys, with the next number as its value. */
const append = (times = 1): void => {
  for (let i = 0; i < times * 10; i++) {
    const key = Buffer.from(`key ${i % 10}`);
    const value = Buffer.from(String(nextValue++));
    const record = { key, value, headers: { n: String(i) } };
    const partition = partitionOf(key, 4);
    source.append({ topic, partition, records: [record], timeoutMs: 0 });
  }
};
const published = () => target.records(kafkaTopic);
const isComplete = (): Promise<void> =>
  vi.waitFor(() => {
    const values = new Set(published().map(({ value }) => value?.toString()));
    expect(values.size).toBe(source.records(topic).length);
  }, waitOptions);
/** Expects the values of each key in order, repetitions aside. */
const expectOrder = (): void => {
  const byKey = Map.groupBy(published(), ({ key }) => key?.toString());
  for (const records of byKey.values()) {
    const values = [...new Set(records.map(({ value }) => Number(value)))];
    expect(values).toEqual(values.toSorted((a, b) => a - b));
  }
};

it('publishes keys, values and headers as they are, in the partition of the key', async () => {
  append();
  start();
  append();
  await isComplete();
  expectOrder();
  for (const { key, partition, headers } of published()) {
    expect(partition).toBe(partitionOf(key, 3));
    expect(headers).toEqual({ n: expect.any(String) });
  }
});

it('commits its offsets, and continues from there', async () => {
  append(5);
  const first = start();
  await isComplete();
  await first.close();
  const stored = [...source.committed(topic, relayGroup).values()];
  expect(stored.reduce((sum, offset) => sum + offset, 0n)).toBe(50n);
  append(5);
  start();
  await isComplete();
  expect(published()).toHaveLength(100);
});

it('keeps the order of a key through failures, also when a failed request was stored', async () => {
  start();
  await sleep(20);
  target.failAppends({ code: 'STREAM_UNAVAILABLE', times: 3 });
  append(20);
  target.failAppends({ code: 'EVENT_OUTCOME_UNKNOWN', times: 2, stored: true });
  append(20);
  await isComplete();
  expectOrder();
  expect(observer.failures).toHaveLength(5);
});

it.each(['STREAM_UNAUTHORIZED', 'TOPIC_NOT_FOUND'] as const)(
  'waits for Kafka while it says %s, however long',
  async (code) => {
    append(2);
    target.failAppends({ code, times: 4 });
    start();
    await isComplete();
    expectOrder();
  },
);

it('waits for Kafka when it cannot be reached at the start', async () => {
  target.stop();
  append(3);
  start();
  await vi.waitFor(() => expect(observer.failures).toContain('STREAM_UNAVAILABLE'), waitOptions);
  expect(published()).toEqual([]);
  target.start();
  await isComplete();
});

it('skips a record that Kafka refuses permanently, reports it, and publishes the others', async () => {
  const key = Buffer.from('key');
  const values = ['a', 'x'.repeat(3_000), 'b', 'c'].map((text) => Buffer.from(text));
  const records = values.map((value) => ({ key, value, headers: {} }));
  source.append({ topic, partition: 1, records, timeoutMs: 0 });
  start();
  await vi.waitFor(() => expect(published()).toHaveLength(3), waitOptions);
  expect(published().map(({ value }) => value?.toString())).toEqual(['a', 'b', 'c']);
  expect(observer.refusals).toEqual([{ topic, partition: 1, offset: 1n, code: 'EVENT_TOO_LARGE' }]);
  await vi.waitFor(() => {
    expect(source.committed(topic, relayGroup).get(1)).toBe(4n);
  }, waitOptions);
});

it('shares the log with other relays, and takes over the partitions of one that died', async () => {
  start();
  append(10);
  start();
  append(10);
  await isComplete();
  await source.expireOwner(topic, relayGroup, 0);
  append(10);
  await isComplete();
  expectOrder();
});

it('repeats records whose offset could not be committed, and loses none', async () => {
  append(3);
  source.failCommits({ code: 'STREAM_UNAVAILABLE', times: 100 });
  const first = start();
  await isComplete();
  expect(observer.interruptions).not.toEqual([]);
  await first.close();
  start();
  await vi.waitFor(() => expect(published().length).toBeGreaterThan(30), waitOptions);
  await isComplete();
  expectOrder();
});

it('sends waiting records together, in requests of a bounded size', async () => {
  const key = Buffer.from('key');
  const record = { key, value: Buffer.alloc(1_500), headers: {} };
  target.stop();
  for (let partition = 0; partition < 4; partition++) {
    const records = Array.from({ length: 500 }, () => record);
    source.append({ topic, partition, records, timeoutMs: 0 });
  }
  start();
  await vi.waitFor(() => expect(observer.failures).not.toEqual([]), waitOptions);
  target.start();
  await vi.waitFor(() => expect(published()).toHaveLength(2_000), waitOptions);
  expect(Math.max(...observer.requests)).toBeLessThanOrEqual((512 * 1024) / 1_500);
});

it('stops within its time while Kafka cannot be reached', async () => {
  append(3);
  target.stop();
  const relay = start();
  await vi.waitFor(() => expect(observer.failures).not.toEqual([]), waitOptions);
  const startedAt = performance.now();
  await relay.close();
  expect(performance.now() - startedAt).toBeLessThan(6_000);
  target.start();
  start();
  await isComplete();
  expectOrder();
});

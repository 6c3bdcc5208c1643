import { describe, expect, it } from 'vitest';
import { until } from '../../../test/until.js';
import type { SubscriptionHandler, SubscriptionRequest } from '../../driver.js';
import { offsetBeginning, offsetEnd } from '../../driver.js';
import type { OutgoingRecord, StoredRecord } from '../../record.js';
import { createMemoryDriver } from './memory-driver.js';
import { MemoryStream } from './memory-stream.js';

const topic = 'orders';

function record(text: string): OutgoingRecord {
  return { key: Buffer.from(text), value: Buffer.from(text), headers: {} };
}

function texts(records: readonly StoredRecord[]): string[] {
  return records.map(({ value }) => String(value));
}

function request(over: Partial<SubscriptionRequest> = {}): SubscriptionRequest {
  const startOffset = offsetBeginning;
  return { topic, groupId: 'g', groupInstanceId: undefined, startOffset, drainMs: 200, ...over };
}

/** A handler that remembers its calls. */
function recorder(over: Partial<SubscriptionHandler> = {}) {
  const calls: string[] = [];
  const seen: StoredRecord[] = [];
  const handler: SubscriptionHandler = {
    assigned: (partitions) => void calls.push(`assigned ${partitions}`),
    revoked: async (partitions) => void calls.push(`revoked ${partitions}`),
    lost: (partitions) => void calls.push(`lost ${partitions}`),
    records: async (_partition, records) => void seen.push(...records),
    interrupted: (error) => void calls.push(`interrupted ${(error as { code: string }).code}`),
    ...over,
  };
  return { calls, seen, handler };
}

function append(stream: MemoryStream, text: string, partition = 0): void {
  stream.append({ topic, partition, records: [record(text)], timeoutMs: 1_000 });
}

describe('memory driver', () => {
  it('delivers records in order, with offset and the time of its clock', async () => {
    const stream = new MemoryStream({ partitions: 1, now: () => 42 });
    const driver = createMemoryDriver(stream);
    const consumer = recorder();
    driver.subscribe(request(), consumer.handler);
    await driver.append({
      topic,
      partition: 0,
      records: ['a', 'b'].map(record),
      timeoutMs: 1_000,
    });
    await until(() => expect(texts(consumer.seen)).toEqual(['a', 'b']));
    expect(consumer.seen.map(({ offset }) => offset)).toEqual([0n, 1n]);
    expect(consumer.seen[0]?.timestampMs).toBe(42);
    await driver.close();
    await expect(driver.append({ topic, partition: 0, records: [], timeoutMs: 1 })).rejects.toThrow(
      expect.objectContaining({ code: 'STREAM_CLOSED' }),
    );
  });

  it('delivers no more records until the handler accepts them', async () => {
    const stream = new MemoryStream({ partitions: 1, batchSize: 1 });
    const seen: string[] = [];
    let more = (): void => undefined;
    const records = async (_: number, batch: readonly StoredRecord[]): Promise<void> => {
      seen.push(...texts(batch));
      await new Promise<void>((resolve) => {
        more = resolve;
      });
    };
    stream.subscribe(request(), recorder({ records }).handler);
    append(stream, 'a');
    append(stream, 'b');
    await until(() => expect(seen).toEqual(['a']));
    await Promise.resolve();
    expect(seen).toEqual(['a']);
    more();
    await until(() => expect(seen).toEqual(['a', 'b']));
  });

  it('begins at the committed offset, else at the start offset', async () => {
    const stream = new MemoryStream({ partitions: 1 });
    for (const text of ['a', 'b', 'c']) append(stream, text);
    const first = recorder();
    const subscription = stream.subscribe(request({ startOffset: 1n }), first.handler);
    await until(() => expect(texts(first.seen)).toEqual(['b', 'c']));
    await subscription.commit(new Map([[0, 2n]]));
    await subscription.close();
    const second = recorder();
    stream.subscribe(request({ startOffset: offsetEnd }), second.handler);
    await until(() => expect(texts(second.seen)).toEqual(['c']));
    expect(stream.lag(topic, 'g')).toEqual([
      { groupId: 'g', topic, partitions: [{ partition: 0, committed: 2n, end: 3n, lag: 1n }] },
    ]);
  });

  it('keeps the start of a group that began at the end and committed nothing', async () => {
    const stream = new MemoryStream({ partitions: 1 });
    append(stream, 'old');
    const first = recorder();
    const subscription = stream.subscribe(request({ startOffset: offsetEnd }), first.handler);
    await until(() => expect(first.calls).toEqual(['assigned 0']));
    append(stream, 'new');
    await subscription.close();
    const second = recorder();
    stream.subscribe(request({ startOffset: offsetEnd }), second.handler);
    await until(() => expect(texts(second.seen)).toEqual(['new']));
  });

  it('divides the partitions among the members, also when one leaves', async () => {
    const stream = new MemoryStream({ partitions: 3 });
    const [a, b] = [recorder(), recorder()];
    stream.subscribe(request({ groupInstanceId: 'a' }), a.handler);
    await until(() => expect(a.calls).toEqual(['assigned 0,1,2']));
    const leaving = stream.subscribe(request({ groupInstanceId: 'b' }), b.handler);
    await until(() => expect(b.calls).toEqual(['assigned 2']));
    expect(a.calls.slice(1)).toEqual(['revoked 0,1,2', 'assigned 0,1']);
    await leaving.close();
    await until(() => expect(a.calls.at(-1)).toBe('assigned 0,1,2'));
    expect(b.calls.at(-1)).toBe('revoked 2');
  });

  it('lets a member commit while it drains and not afterwards', async () => {
    const stream = new MemoryStream({ partitions: 1 });
    let finish = (): void => undefined;
    const revoked = (): Promise<void> =>
      new Promise<void>((resolve) => {
        finish = resolve;
      });
    const consumer = recorder({ revoked });
    const subscription = stream.subscribe(request({ drainMs: 5_000 }), consumer.handler);
    append(stream, 'a');
    await until(() => expect(consumer.seen).toHaveLength(1));
    const closed = subscription.close();
    await subscription.commit(new Map([[0, 1n]]));
    finish();
    await closed;
    expect(stream.committed(topic, 'g').get(0)).toBe(1n);
    await expect(subscription.commit(new Map([[0, 0n]]))).rejects.toMatchObject({
      code: 'STREAM_ASSIGNMENT_LOST',
    });
  });

  it('continues without a member that does not finish draining in time', async () => {
    const stream = new MemoryStream({ partitions: 1 });
    const endless = recorder({ revoked: () => new Promise(() => undefined) });
    const subscription = stream.subscribe(request({ drainMs: 20 }), endless.handler);
    await until(() => expect(endless.calls).toEqual(['assigned 0']));
    const other = recorder();
    stream.subscribe(request(), other.handler);
    await subscription.close();
    await until(() => expect(other.calls).toEqual(['assigned 0']));
  });

  it('revokes the partitions of an expired session and lets the member join again', async () => {
    const stream = new MemoryStream({ partitions: 1 });
    const consumer = recorder();
    stream.subscribe(request(), consumer.handler);
    append(stream, 'a');
    await until(() => expect(consumer.seen).toHaveLength(1));
    await stream.expireOwner(topic, 'g', 0);
    expect(consumer.calls).toEqual(['assigned 0', 'lost 0', 'assigned 0']);
    await until(() => expect(texts(consumer.seen)).toEqual(['a', 'a']));
  });

  it('fences a static member when another one joins with its instance id', async () => {
    const stream = new MemoryStream({ partitions: 1 });
    const [first, second] = [recorder(), recorder()];
    stream.subscribe(request({ groupInstanceId: 'x' }), first.handler);
    await until(() => expect(first.calls).toEqual(['assigned 0']));
    stream.subscribe(request({ groupInstanceId: 'x' }), second.handler);
    await until(() => expect(second.calls).toEqual(['assigned 0']));
    expect(first.calls.slice(1)).toEqual(['lost 0', 'interrupted STREAM_ASSIGNMENT_LOST']);
  });

  it('begins when a missing topic is created', async () => {
    const stream = new MemoryStream({ createTopics: false });
    const consumer = recorder();
    stream.subscribe(request(), consumer.handler);
    expect(consumer.calls).toEqual(['interrupted TOPIC_NOT_FOUND']);
    expect(() => append(stream, 'a')).toThrow(expect.objectContaining({ code: 'TOPIC_NOT_FOUND' }));
    stream.createTopic(topic, 1);
    append(stream, 'a');
    await until(() => expect(texts(consumer.seen)).toEqual(['a']));
  });

  it('is unavailable while stopped, and continues where it was', async () => {
    const stream = new MemoryStream({ partitions: 1 });
    const driver = createMemoryDriver(stream);
    const consumer = recorder();
    driver.subscribe(request(), consumer.handler);
    append(stream, 'a');
    await until(() => expect(consumer.seen).toHaveLength(1));
    stream.stop();
    expect(consumer.calls.at(-1)).toBe('interrupted STREAM_UNAVAILABLE');
    expect(() => append(stream, 'b')).toThrow(
      expect.objectContaining({ code: 'STREAM_UNAVAILABLE' }),
    );
    await expect(driver.ping()).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' });
    stream.start();
    append(stream, 'b');
    await until(() => expect(texts(consumer.seen)).toEqual(['a', 'b']));
  });

  it('fails calls as configured, with or without doing their work', async () => {
    const stream = new MemoryStream({ partitions: 1, maxRecordBytes: 4 });
    stream.failAppends({ code: 'EVENT_OUTCOME_UNKNOWN', stored: true });
    stream.failAppends({ code: 'STREAM_UNAVAILABLE', topic: 'another' });
    expect(() => append(stream, 'a')).toThrow('injected fault');
    append(stream, 'b');
    expect(texts(stream.records(topic))).toEqual(['a', 'b']);
    expect(() => append(stream, 'long')).toThrow(
      expect.objectContaining({ code: 'EVENT_TOO_LARGE' }),
    );
    const consumer = recorder();
    const subscription = stream.subscribe(request(), consumer.handler);
    await until(() => expect(consumer.seen).toHaveLength(2));
    stream.failCommits({ code: 'STREAM_UNAVAILABLE' });
    await expect(subscription.commit(new Map([[0, 1n]]))).rejects.toThrow('injected fault');
    await subscription.commit(new Map([[0, 1n]]));
  });
});

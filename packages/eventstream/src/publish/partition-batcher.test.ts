import { PlatformError } from '@posthaste/contracts';
import { describe, expect, it, vi } from 'vitest';
import {
  outcomes,
  publisherOf,
  record,
  ScriptedStream,
  topic,
  useManualClock,
} from '../../test/scripted-stream.js';
import { Publisher } from './publisher.js';

useManualClock();

describe('batches', () => {
  it('holds records back for the linger time and sends them together', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream);
    const sent = ['a', 'b', 'c'].map((text) => publisher.send(topic, record(text)));
    await vi.advanceTimersByTimeAsync(4);
    expect(stream.tries).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(await outcomes(sent)).toEqual(['ok', 'ok', 'ok']);
    expect(stream.appended).toEqual([{ partition: 0, texts: ['a', 'b', 'c'] }]);
  });

  it('sends a full batch at once, by records and by bytes', async () => {
    const stream = new ScriptedStream();
    const byRecords = publisherOf(stream, { maxBatchRecords: 2 });
    const byBytes = publisherOf(stream, { maxBatchBytes: 200 });
    await outcomes(['a', 'b'].map((text) => byRecords.send(topic, record(text))));
    await outcomes([byBytes.send(topic, record('x'.repeat(300)))]);
    expect(stream.appended.map(({ texts }) => texts.length)).toEqual([2, 1]);
  });

  it('does not linger once half as many records as in the last batch have arrived', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream);
    const sendSome = (count: number): Promise<string[]> =>
      outcomes(Array.from({ length: count }, () => publisher.send(topic, record('a'))));
    const first = sendSome(40);
    await vi.advanceTimersByTimeAsync(5);
    await first;
    // No time passes from here on.
    await sendSome(20);
    expect(stream.appended.map(({ texts }) => texts.length)).toEqual([40, 20]);
  });

  it('lingers with few records, however few were acknowledged last', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream);
    for (const count of [2, 15]) {
      const sent = Array.from({ length: count }, () => publisher.send(topic, record('a')));
      await vi.advanceTimersByTimeAsync(4);
      const before = stream.tries.length;
      await vi.advanceTimersByTimeAsync(1);
      expect(stream.tries.length).toBe(before + 1);
      await outcomes(sent);
    }
  });

  it('makes a large record a batch of its own', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream, { maxBatchBytes: 200 });
    const texts = ['a', 'x'.repeat(300), 'b'];
    const sent = texts.map((text) => publisher.send(topic, record(text)));
    await vi.advanceTimersByTimeAsync(5);
    expect(await outcomes(sent)).toEqual(['ok', 'ok', 'ok']);
    expect(stream.appended.map((batch) => batch.texts)).toEqual(texts.map((text) => [text]));
  });

  it('has one batch in flight per partition, while other partitions go on', async () => {
    const stream = new ScriptedStream();
    stream.partitions = 2;
    stream.script = ['hang'];
    const publisher = publisherOf(stream, { maxBatchRecords: 1, partitioner: 'round-robin' });
    const sent = ['a', 'b', 'c', 'd'].map((text) => publisher.send(topic, record(text)));
    await outcomes([sent[1], sent[3]].map((promise) => promise ?? Promise.reject()));
    expect(stream.appended.map(({ texts }) => texts)).toEqual([['b'], ['d']]);
    expect(stream.tries.filter(({ partition }) => partition === 1)).toHaveLength(1);
  });

  it('sends a due batch before it acknowledges the one before', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream, { maxBatchRecords: 1 });
    const triesSeen: number[] = [];
    const sent = ['a', 'b'].map((text) =>
      publisher.send(topic, record(text)).then(() => triesSeen.push(stream.tries.length)),
    );
    await Promise.all(sent);
    expect(triesSeen).toEqual([2, 2]);
  });

  it('asks for the number of partitions again from time to time', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream, {
      partitioner: 'round-robin',
      metadataMaxAgeMs: 1_000,
      lingerMs: 0,
    });
    await Promise.all([publisher.send(topic, record('a')), vi.advanceTimersByTimeAsync(5)]);
    stream.partitions = 2;
    await vi.advanceTimersByTimeAsync(1_000);
    await Promise.all([publisher.send(topic, record('b')), vi.advanceTimersByTimeAsync(5)]);
    const sent = ['c', 'd'].map((text) => publisher.send(topic, record(text)));
    await Promise.all([...sent, vi.advanceTimersByTimeAsync(5)]);
    expect(new Set(stream.appended.map(({ partition }) => partition))).toEqual(new Set([0, 1]));
  });
});

describe('retries', () => {
  it('tries a batch again with growing waits, before anything that came later', async () => {
    const stream = new ScriptedStream();
    stream.script = ['STREAM_UNAVAILABLE', 'STREAM_UNAVAILABLE'];
    const publisher = publisherOf(stream, { maxBatchRecords: 2 });
    const sent = ['a', 'b', 'c'].map((text) => publisher.send(topic, record(text)));
    await vi.advanceTimersByTimeAsync(74);
    expect(stream.tries).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(stream.tries).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(150);
    expect(await outcomes(sent)).toEqual(['ok', 'ok', 'ok']);
    expect(stream.texts).toEqual(['a', 'b', 'c']);
  });

  it('gives up at the publish timeout', async () => {
    const stream = new ScriptedStream();
    stream.script = Array.from({ length: 100 }, () => 'STREAM_UNAVAILABLE' as const);
    const failed: string[] = [];
    const eventFailed = (name: string, code: string): void => void failed.push(`${name} ${code}`);
    const publisher = publisherOf(stream, { publishTimeoutMs: 2_000 }, { eventFailed });
    const sent = outcomes([publisher.send(topic, record('a'))]);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(publisher.bufferedRecords).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await sent).toEqual(['EVENT_NOT_PUBLISHED']);
    expect(failed).toEqual([`${topic} EVENT_NOT_PUBLISHED`]);
    expect(publisher.bufferedBytes).toBe(0);
  });

  it('makes at least three tries, however short the timeout', async () => {
    const stream = new ScriptedStream();
    stream.script = ['STREAM_UNAVAILABLE', 'STREAM_UNAVAILABLE', 'STREAM_UNAVAILABLE'];
    const publisher = publisherOf(stream);
    const sent = outcomes([publisher.send(topic, record('a'), { timeoutMs: 1 })]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await sent).toEqual(['EVENT_NOT_PUBLISHED']);
    expect(stream.tries).toHaveLength(3);
    expect(stream.tries[0]?.timeoutMs).toBe(1);
  });

  it('makes as many tries as configured, each with its own time limit', async () => {
    const stream = new ScriptedStream();
    stream.script = ['STREAM_UNAVAILABLE'];
    const options = { minTries: 1, tryTimeoutMs: 700, initialBackoffMs: 1 };
    const publisher = publisherOf(stream, options);
    const sent = outcomes([publisher.send(topic, record('a'), { timeoutMs: 1 })]);
    await vi.advanceTimersByTimeAsync(100);
    expect(await sent).toEqual(['EVENT_NOT_PUBLISHED']);
    await Promise.all([publisher.send(topic, record('b')), vi.advanceTimersByTimeAsync(100)]);
    expect(stream.tries.map(({ timeoutMs }) => timeoutMs)).toEqual([1, 700]);
  });

  it('distinguishes an unknown outcome from a certain one', async () => {
    const stream = new ScriptedStream();
    stream.script = ['EVENT_OUTCOME_UNKNOWN', 'STREAM_UNAVAILABLE', 'STREAM_UNAVAILABLE'];
    const publisher = publisherOf(stream, { maxBatchRecords: 1 });
    const options = { timeoutMs: 1 };
    const sent = outcomes(['a', 'b'].map((text) => publisher.send(topic, record(text), options)));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await sent).toEqual(['EVENT_OUTCOME_UNKNOWN', 'EVENT_NOT_PUBLISHED']);
  });

  it.each(['STREAM_UNAUTHORIZED', 'EVENT_TOO_LARGE'] as const)(
    'keeps an outcome unknown when a later try fails for good: %s',
    async (last) => {
      const stream = new ScriptedStream();
      stream.script = ['EVENT_OUTCOME_UNKNOWN', 'STREAM_UNAVAILABLE', last];
      const publisher = publisherOf(stream);
      const sent = outcomes([publisher.send(topic, record('a'))]);
      await vi.advanceTimersByTimeAsync(2_000);
      expect(await sent).toEqual(['EVENT_OUTCOME_UNKNOWN']);
      expect(stream.tries).toHaveLength(3);
    },
  );

  it('treats a foreign error of a driver as an unknown outcome', async () => {
    const append = vi.fn().mockRejectedValue(new Error('defect'));
    const driver = { append, partitionCount: async () => 1 };
    const publisher = new Publisher({ driver }, { publishTimeoutMs: 1 });
    const sent = outcomes([publisher.send(topic, record('a'))]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await sent).toEqual(['EVENT_OUTCOME_UNKNOWN']);
  });

  it('fails at once when another try cannot help', async () => {
    const stream = new ScriptedStream();
    stream.script = ['STREAM_UNAUTHORIZED'];
    const publisher = publisherOf(stream);
    const sent = outcomes(['a', 'b'].map((text) => publisher.send(topic, record(text))));
    await vi.advanceTimersByTimeAsync(5);
    expect(await sent).toEqual(['STREAM_UNAUTHORIZED', 'STREAM_UNAUTHORIZED']);
    expect(stream.tries).toHaveLength(1);
  });

  it('waits for a topic that does not exist yet', async () => {
    const stream = new ScriptedStream();
    const missing = new PlatformError('TOPIC_NOT_FOUND', 'not yet');
    const partitionCount = vi.fn(stream.partitionCount).mockRejectedValueOnce(missing);
    const publisher = new Publisher({ driver: { append: stream.append, partitionCount } });
    const sent = outcomes([publisher.send(topic, record('a'))]);
    await vi.advanceTimersByTimeAsync(200);
    expect(await sent).toEqual(['ok']);
  });

  it('fails records of a topic whose number of partitions stays unknown', async () => {
    const partitionCount = vi.fn().mockRejectedValue(new PlatformError('STREAM_UNAVAILABLE', 'x'));
    const driver = { append: new ScriptedStream().append, partitionCount };
    const publisher = new Publisher({ driver }, { publishTimeoutMs: 100 });
    const sent = outcomes([publisher.send(topic, record('a'))]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await sent).toEqual(['EVENT_NOT_PUBLISHED']);
    expect(partitionCount).toHaveBeenCalledTimes(3);
  });
});

describe('records that are too large', () => {
  it('fail alone, the others are written in order', async () => {
    const stream = new ScriptedStream();
    stream.maxBytes = 10;
    const publisher = publisherOf(stream);
    const texts = ['a', 'b', 'much-too-large', 'c', 'd', 'e', 'also-too-large'];
    const sent = outcomes(texts.map((text) => publisher.send(topic, record(text))));
    await vi.advanceTimersByTimeAsync(20);
    const tooLarge = 'EVENT_TOO_LARGE';
    expect(await sent).toEqual(['ok', 'ok', tooLarge, 'ok', 'ok', 'ok', tooLarge]);
    expect(stream.texts).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('fail with the text that existing services know', async () => {
    const stream = new ScriptedStream();
    stream.maxBytes = 0;
    const sent = publisherOf(stream, { lingerMs: 0 }).send(topic, record('a'));
    const expected = expect(sent).rejects.toMatchObject({
      message: 'message to large',
      details: { topic, bytes: 34 },
    });
    await vi.advanceTimersByTimeAsync(5);
    await expected;
  });
});

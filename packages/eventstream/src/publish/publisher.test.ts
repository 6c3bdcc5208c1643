import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AppendRequest } from '../driver.js';
import type { OutgoingRecord } from '../record.js';
import type { PublishObserver } from './publish-observer.js';
import type { PublisherOptions } from './publish-options.js';
import { Publisher } from './publisher.js';

const topic = 'orders';

/** A stream that writes down what it is given, and fails as scripted. */
class ScriptedStream {
  readonly appended: { partition: number; texts: string[] }[] = [];
  readonly tries: AppendRequest[] = [];
  partitions = 1;
  /** What the next tries end with; after them all succeed. */
  script: (ErrorCode | 'hang')[] = [];
  /** Resolves the tries that wait for it; `undefined`: none waits. */
  gate: Promise<void> | undefined;
  maxBytes = Number.POSITIVE_INFINITY;

  partitionCount = async (): Promise<number> => this.partitions;

  append = async (request: AppendRequest): Promise<void> => {
    this.tries.push(request);
    const { partition, records } = request;
    const step = this.script.shift();
    if (step === 'hang') return new Promise(() => undefined);
    if (step !== undefined) throw new PlatformError(step, `scripted ${step}`);
    await this.gate;
    if (records.some(({ value }) => (value?.length ?? 0) > this.maxBytes)) {
      throw new PlatformError('EVENT_TOO_LARGE', 'scripted');
    }
    this.appended.push({ partition, texts: records.map(({ value }) => String(value)) });
  };

  get texts(): string[] {
    return this.appended.flatMap(({ texts }) => texts);
  }
}

function record(text: string, key: Buffer | null = Buffer.from('k')): OutgoingRecord {
  return { key, value: Buffer.from(text), headers: {} };
}

function publisherOf(
  stream: ScriptedStream,
  options: PublisherOptions = {},
  observer?: PublishObserver,
): Publisher {
  return new Publisher({ driver: stream, observer, random: () => 0.5 }, options);
}

/** The error codes, or `ok`, of promises; never rejects. */
function outcomes(sent: readonly Promise<void>[]): Promise<string[]> {
  const code = (error: unknown): string => (error as PlatformError).code;
  return Promise.all(sent.map((promise) => promise.then(() => 'ok', code)));
}

beforeEach(() => {
  // Turns of the event loop take no time.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

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

  it('does not linger any more when half of those acknowledged last are back', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream);
    const sendSome = (count: number): Promise<string[]> =>
      outcomes(Array.from({ length: count }, () => publisher.send(topic, record('a'))));
    const first = sendSome(40);
    await vi.advanceTimersByTimeAsync(5);
    await first;
    // The clock stands still from here on.
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

  it('has one batch under way per lane, while other lanes go on', async () => {
    const stream = new ScriptedStream();
    stream.partitions = 2;
    stream.script = ['hang'];
    const publisher = publisherOf(stream, { maxBatchRecords: 1, partitioner: 'round-robin' });
    const sent = ['a', 'b', 'c', 'd'].map((text) => publisher.send(topic, record(text)));
    await outcomes([sent[1], sent[3]].map((promise) => promise ?? Promise.reject()));
    expect(stream.appended.map(({ texts }) => texts)).toEqual([['b'], ['d']]);
    expect(stream.tries.filter(({ partition }) => partition === 1)).toHaveLength(1);
  });

  it('sends what is due before those of the batch before it go on', async () => {
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

  it('makes as many tries as it is told to, each with its own time', async () => {
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

  it('tells an ambiguous outcome from a certain one', async () => {
    const stream = new ScriptedStream();
    stream.script = ['EVENT_OUTCOME_UNKNOWN', 'STREAM_UNAVAILABLE', 'STREAM_UNAVAILABLE'];
    const publisher = publisherOf(stream, { maxBatchRecords: 1 });
    const options = { timeoutMs: 1 };
    const sent = outcomes(['a', 'b'].map((text) => publisher.send(topic, record(text), options)));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await sent).toEqual(['EVENT_OUTCOME_UNKNOWN', 'EVENT_NOT_PUBLISHED']);
  });

  it.each(['STREAM_UNAUTHORIZED', 'EVENT_TOO_LARGE'] as const)(
    'keeps an outcome ambiguous when a later try fails for good: %s',
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

  it('treats a driver that throws something of its own as ambiguous', async () => {
    const append = vi.fn().mockRejectedValue(new Error('defect'));
    const driver = { append, partitionCount: async () => 1 };
    const publisher = new Publisher({ driver }, { publishTimeoutMs: 1 });
    const sent = outcomes([publisher.send(topic, record('a'))]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await sent).toEqual(['EVENT_OUTCOME_UNKNOWN']);
  });

  it('fails at once with what no further try can mend', async () => {
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

  it('fails what waits for a topic whose partitions nobody tells', async () => {
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

  it('are told with the text that existing services know', async () => {
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

describe('back-pressure', () => {
  it('makes publishers wait when the buffer is full, and lets them in in order', async () => {
    const stream = new ScriptedStream();
    let open = (): void => undefined;
    stream.gate = new Promise((resolve) => {
      open = resolve;
    });
    const publisher = publisherOf(stream, { maxBufferBytes: 70 });
    const accepted: string[] = [];
    const fail = vi.fn();
    const enqueue = async (text: string): Promise<void> => {
      await publisher.enqueue(topic, record(text), {}, fail);
      accepted.push(text);
    };
    const all = Promise.all(['a', 'b', 'c', 'd'].map(enqueue));
    await vi.advanceTimersByTimeAsync(50);
    expect(accepted).toEqual(['a', 'b']);
    open();
    await vi.advanceTimersByTimeAsync(50);
    await all;
    expect(stream.texts).toEqual(['a', 'b', 'c', 'd']);
    expect(fail).not.toHaveBeenCalled();
  });

  it('refuses who finds no space in time', async () => {
    const stream = new ScriptedStream();
    stream.script = ['hang'];
    const publisher = publisherOf(stream, { maxBufferBytes: 1 });
    const fail = vi.fn();
    await publisher.enqueue(topic, record('a'), {}, fail);
    const second = outcomes([publisher.enqueue(topic, record('b'), { timeoutMs: 100 }, fail)]);
    await vi.advanceTimersByTimeAsync(100);
    expect(await second).toEqual(['EVENT_NOT_PUBLISHED']);
  });

  it('lets others have their turn while somebody publishes in a loop', async () => {
    vi.useRealTimers();
    const publisher = publisherOf(new ScriptedStream());
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    });
    for (const end = performance.now() + 100; performance.now() < end; ) {
      await publisher.enqueue(topic, record('a'), {}, vi.fn());
    }
    clearInterval(counting);
    expect(turns).toBeGreaterThan(2);
  });
});

describe('signals', () => {
  it('take a record back as long as it was not sent', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream);
    const controller = new AbortController();
    const { signal } = controller;
    const sent = outcomes([
      publisher.send(topic, record('a'), { signal }),
      publisher.send(topic, record('b')),
    ]);
    controller.abort();
    await vi.advanceTimersByTimeAsync(5);
    expect(await sent).toEqual(['EVENT_NOT_PUBLISHED', 'ok']);
    expect(stream.texts).toEqual(['b']);
    const late = outcomes([publisher.send(topic, record('c'), { signal })]);
    expect(await late).toEqual(['EVENT_NOT_PUBLISHED']);
  });

  it('end the retries of one that was sent', async () => {
    const stream = new ScriptedStream();
    stream.script = ['EVENT_OUTCOME_UNKNOWN'];
    const publisher = publisherOf(stream);
    const controller = new AbortController();
    const sent = outcomes([publisher.send(topic, record('a'), { signal: controller.signal })]);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    expect(await sent).toEqual(['EVENT_OUTCOME_UNKNOWN']);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(stream.tries).toHaveLength(1);
  });

  it('wait for the outcome of a try that is running', async () => {
    const stream = new ScriptedStream();
    let open = (): void => undefined;
    stream.gate = new Promise((resolve) => {
      open = resolve;
    });
    const publisher = publisherOf(stream);
    const controller = new AbortController();
    const sent = outcomes([publisher.send(topic, record('a'), { signal: controller.signal })]);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    open();
    expect(await sent).toEqual(['ok']);
  });

  it('leave the queue of those that wait for space', async () => {
    const stream = new ScriptedStream();
    stream.script = ['hang'];
    const publisher = publisherOf(stream, { maxBufferBytes: 1 });
    const controller = new AbortController();
    await publisher.enqueue(topic, record('a'), {}, vi.fn());
    const { signal } = controller;
    const second = outcomes([publisher.enqueue(topic, record('b'), { signal }, vi.fn())]);
    controller.abort();
    expect(await second).toEqual(['EVENT_NOT_PUBLISHED']);
  });
});

describe('close', () => {
  it('sends what lingers and takes no more', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream, { lingerMs: 1_000 });
    const sent = outcomes([publisher.send(topic, record('a'))]);
    await vi.advanceTimersByTimeAsync(1);
    await publisher.close(1_000);
    expect(await sent).toEqual(['ok']);
    expect(await outcomes([publisher.send(topic, record('b'))])).toEqual(['STREAM_CLOSED']);
  });

  it('gives up after its time what is under way, what waits behind it, and who waits for space', async () => {
    const stream = new ScriptedStream();
    stream.script = ['hang'];
    const publisher = publisherOf(stream, { maxBatchRecords: 1, maxBufferBytes: 70 });
    const sent = outcomes(['a', 'b', 'c'].map((text) => publisher.send(topic, record(text))));
    await vi.advanceTimersByTimeAsync(10);
    const closed = publisher.close(100);
    await vi.advanceTimersByTimeAsync(100);
    await closed;
    const notPublished = 'EVENT_NOT_PUBLISHED';
    expect(await sent).toEqual(['EVENT_OUTCOME_UNKNOWN', notPublished, notPublished]);
  });

  it('gives up what waits for its next try as not published', async () => {
    const stream = new ScriptedStream();
    stream.script = Array.from({ length: 100 }, () => 'STREAM_UNAVAILABLE' as const);
    const publisher = publisherOf(stream);
    const sent = outcomes([publisher.send(topic, record('a'))]);
    await vi.advanceTimersByTimeAsync(10);
    const closed = publisher.close(50);
    await vi.advanceTimersByTimeAsync(50);
    await closed;
    expect(await sent).toEqual(['EVENT_NOT_PUBLISHED']);
  });
});

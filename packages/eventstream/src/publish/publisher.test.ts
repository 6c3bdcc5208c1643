import { describe, expect, it, vi } from 'vitest';
import {
  outcomes,
  publisherOf,
  record,
  ScriptedStream,
  topic,
  useManualClock,
} from '../../test/scripted-stream.js';

useManualClock();

describe('back-pressure', () => {
  it('makes publishers wait when the buffer is full, and admits them in order', async () => {
    const stream = new ScriptedStream();
    let open = (): void => undefined;
    stream.hold = new Promise((resolve) => {
      open = resolve;
    });
    const publisher = publisherOf(stream, { maxBufferBytes: 70 });
    const accepted: string[] = [];
    const fail = vi.fn();
    const enqueue = async (text: string): Promise<void> => {
      await publisher.enqueue(topic, record(text), { onFailed: fail });
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

  it('refuses a record that finds no space in time', async () => {
    const stream = new ScriptedStream();
    stream.script = ['hang'];
    const publisher = publisherOf(stream, { maxBufferBytes: 1 });
    const fail = vi.fn();
    await publisher.enqueue(topic, record('a'), { onFailed: fail });
    const second = outcomes([
      publisher.enqueue(topic, record('b'), { timeoutMs: 100, onFailed: fail }),
    ]);
    await vi.advanceTimersByTimeAsync(100);
    expect(await second).toEqual(['EVENT_NOT_PUBLISHED']);
  });

  it('lets timers run while a caller publishes in a loop', async () => {
    vi.useRealTimers();
    const publisher = publisherOf(new ScriptedStream());
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    });
    for (const end = performance.now() + 20_000; turns <= 2 && performance.now() < end; ) {
      await publisher.enqueue(topic, record('a'), { onFailed: vi.fn() });
    }
    clearInterval(counting);
    expect(turns).toBeGreaterThan(2);
  });
});

describe('signals', () => {
  it('withdraw a record as long as it was not sent', async () => {
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

  it('end the retries of a record that was sent', async () => {
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
    stream.hold = new Promise((resolve) => {
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

  it('take a record out of the queue for space', async () => {
    const stream = new ScriptedStream();
    stream.script = ['hang'];
    const publisher = publisherOf(stream, { maxBufferBytes: 1 });
    const controller = new AbortController();
    await publisher.enqueue(topic, record('a'), { onFailed: vi.fn() });
    const { signal } = controller;
    const second = outcomes([publisher.enqueue(topic, record('b'), { signal, onFailed: vi.fn() })]);
    controller.abort();
    expect(await second).toEqual(['EVENT_NOT_PUBLISHED']);
  });
});

describe('close', () => {
  it('sends lingering records and accepts no more', async () => {
    const stream = new ScriptedStream();
    const publisher = publisherOf(stream, { lingerMs: 1_000 });
    const sent = outcomes([publisher.send(topic, record('a'))]);
    await vi.advanceTimersByTimeAsync(1);
    await publisher.close(1_000);
    expect(await sent).toEqual(['ok']);
    expect(await outcomes([publisher.send(topic, record('b'))])).toEqual(['STREAM_CLOSED']);
  });

  it('gives up, after its time, records in flight, behind them and waiting for space', async () => {
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

  it('gives up a record that waits for its next try as not published', async () => {
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

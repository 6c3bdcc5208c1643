import { type EventEnvelope, PlatformError } from '@posthaste/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Consuming,
  rawHandler,
  registration,
  startConsuming,
  untilCommitted,
} from '../../test/consuming.js';
import { storedRecord } from '../../test/manual-driver.js';
import { until } from '../../test/until.js';

let consuming: Consuming;
beforeEach(() => {
  consuming = startConsuming();
});
afterEach(async () => {
  vi.useRealTimers();
  await consuming.consumers.close({ drainMs: 0 });
});

const unreadable = (offset: number) => storedRecord(offset, { value: Buffer.from('{"name":1}') });

function failTimes(times: number): { callback: () => Promise<void>; calls: () => number } {
  let calls = 0;
  return {
    calls: () => calls,
    callback: async () => {
      calls += 1;
      if (calls <= times) throw new Error(`failure ${calls}`);
    },
  };
}

describe('a callback that fails', () => {
  it('is called again in place, while the next records wait', async () => {
    const order: string[] = [];
    const { callback } = failTimes(2);
    consuming.consumers.register(
      registration('login', async (ctx, event) => {
        order.push(`${event?.id} ${ctx.attempt}`);
        await callback();
      }),
    );
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {}), storedRecord(1, {})]);
    await untilCommitted(consuming.main, 2);
    expect(order).toEqual(['id-0 1', 'id-0 2', 'id-0 3', 'id-1 1']);
    expect(consuming.reports.lines).toEqual([
      '0 attempt 1: failure 1',
      '0 attempt 2: failure 2',
      '0 handled',
      '1 handled',
    ]);
  });

  it.each(['throws', 'rejects'])(
    'sends its record to the dead letters when it always %s',
    async (how) => {
      consuming.consumers.register(
        registration('login', () => {
          if (how === 'throws') throw new Error('never');
          return Promise.reject(new Error('never'));
        }),
      );
      consuming.main.handler.assigned([0]);
      const record = storedRecord(7, { key: Buffer.from('k'), headers: { traceparent: 'x' } });
      await consuming.deliver([record]);
      await untilCommitted(consuming.main, 8);
      expect(consuming.appender.appended).toEqual([
        {
          topic: 'game.account.dlq',
          record: {
            key: record.key,
            value: record.value,
            headers: {
              traceparent: 'x',
              'x-original-topic': 'game.account',
              'x-original-partition': '0',
              'x-original-offset': '7',
              'x-original-timestamp': String(record.timestampMs),
              'x-consumer-group': 'game.mail',
              'x-error': 'never',
              'x-attempts': '3',
              'x-subscription': 'login',
            },
          },
        },
      ]);
      expect(consuming.reports.lines.at(-1)).toBe('7 dead');
    },
  );

  it('is not called again when the error is not retryable', async () => {
    const { callback, calls } = failTimes(Infinity);
    const retry = { maxAttempts: 3, delaysMs: [10], isRetryable: () => false };
    consuming.consumers.register(registration('login', callback, { retry }));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {})]);
    await untilCommitted(consuming.main, 1);
    expect(calls()).toBe(1);
    expect(consuming.appender.appended.map(({ topic }) => topic)).toEqual(['game.account.dlq']);
  });

  it('gets its event in the end, if what it needs was away for ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const back = Date.now() + 10_000;
    const handled: (string | undefined)[] = [];
    const callback = (_ctx: unknown, event: EventEnvelope | null): void => {
      if (Date.now() < back) throw new Error('the database is away');
      handled.push(event?.id);
    };
    const byDefault = { retry: undefined };
    consuming.consumers.register(registration('login', callback, byDefault));
    consuming.main.handler.assigned([0]);
    const records = Array.from({ length: 20 }, (_, offset) => storedRecord(offset, {}));
    await consuming.deliver(records);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(handled).toEqual(records.map(({ offset }) => `id-${offset}`));
    expect(consuming.appender.appended).toEqual([]);
  });

  it('has five minutes until its record is a dead letter, by default', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const { callback, calls } = failTimes(Infinity);
    consuming.consumers.register(registration('login', callback, { retry: undefined }));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {})]);
    await vi.advanceTimersByTimeAsync(299_999);
    expect(consuming.appender.appended).toEqual([]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(consuming.appender.appended).toMatchObject([
      { topic: 'game.account.dlq', record: { headers: { 'x-attempts': '28' } } },
    ]);
    expect(calls()).toBe(28);
  });

  it('is called again alone: the others have handled the event', async () => {
    const all = vi.fn();
    const { callback, calls } = failTimes(1);
    consuming.consumers.register(registration('', all));
    consuming.consumers.register(registration('login', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {})]);
    await untilCommitted(consuming.main, 1);
    expect(all).toHaveBeenCalledTimes(1);
    expect(calls()).toBe(2);
  });

  it('fails at its deadline, with its signal aborted', async () => {
    const reasons: unknown[] = [];
    consuming.consumers.register(
      registration(
        'login',
        (ctx) => {
          ctx.signal.addEventListener('abort', () => reasons.push(ctx.signal.reason));
          return new Promise(() => undefined);
        },
        { handlerTimeoutMs: 20, retry: { maxAttempts: 1 } },
      ),
    );
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {}), storedRecord(1, { name: 'other' })]);
    await untilCommitted(consuming.main, 2);
    expect(reasons).toEqual([expect.objectContaining({ name: 'TimeoutError' })]);
    expect(consuming.reports.lines.slice(0, 2)).toEqual([
      '0 attempt 1: the callback took over 20 ms',
      '0 dead',
    ]);
  });

  it('is called for a dead letter as long as it fails', async () => {
    const { callback, calls } = failTimes(20);
    const retry = { maxAttempts: 1, initialMs: 0, maxMs: 0 };
    const topic = 'game.account.dlq';
    consuming.consumers.register(registration('login', callback, { topic, retry }));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, { topic })]);
    await untilCommitted(consuming.main, 1);
    expect(calls()).toBe(21);
    expect(consuming.appender.appended).toEqual([]);
  });
});

describe('dead letters that cannot be written', () => {
  it('block the partition, raise the alarm, and are tried again until they succeed', async () => {
    const { callback, calls } = failTimes(1);
    const fields = { retry: { maxAttempts: 1 }, concurrency: 4 };
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    consuming.appender.failure = new Error('disk full');
    await consuming.deliver([storedRecord(0, { key: Buffer.from('a') })]);
    await until(() =>
      expect(consuming.reports.lines).toContain('0 blocked for game.account.dlq: disk full'),
    );
    await consuming.deliver([storedRecord(1, { key: Buffer.from('b') })]);
    expect(consuming.consumers.status()).toMatchObject([
      { partitions: [{ partition: 0, blocked: true, inHand: 2 }] },
    ]);
    expect(calls()).toBe(1);
    expect(consuming.main.commits).toEqual([]);
    consuming.appender.failure = undefined;
    await untilCommitted(consuming.main, 2);
    expect(consuming.reports.lines).toContain('0 unblocked');
    expect(consuming.appender.appended).toHaveLength(1);
    expect(calls()).toBe(2);
  });

  it('leave the record uncommitted when the partition is revoked', async () => {
    const fields = { retry: { maxAttempts: 1 } };
    consuming.consumers.register(registration('login', () => Promise.reject(new Error()), fields));
    consuming.main.handler.assigned([0]);
    consuming.appender.failure = new Error('disk full');
    await consuming.deliver([storedRecord(0, {})]);
    await until(() => expect(consuming.reports.lines).toHaveLength(2));
    await consuming.main.handler.revoked([0]);
    expect(consuming.main.commits).toEqual([]);
    expect(consuming.main.committed.size).toBe(0);
  });
});

describe('a record that cannot be read', () => {
  it('is acknowledged and counted', async () => {
    const callback = vi.fn();
    consuming.consumers.register(registration('', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([unreadable(0)]);
    await untilCommitted(consuming.main, 1);
    expect(callback).not.toHaveBeenCalled();
    expect(consuming.reports.lines).toEqual(['0 unreadable']);
    expect(consuming.appender.appended).toEqual([]);
  });

  it('goes to the dead letters when a registration asks for it', async () => {
    consuming.consumers.register(registration('login', () => undefined, { sendErrorDlq: true }));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([unreadable(0)]);
    await untilCommitted(consuming.main, 1);
    expect(consuming.appender.appended).toMatchObject([
      { topic: 'game.account.dlq', record: { headers: { 'x-attempts': '0' } } },
    ]);
    expect(consuming.appender.appended[0]?.record.headers).toMatchObject({
      'x-error': expect.stringMatching(/^ENVELOPE_INVALID: /),
    });
  });

  it('still reaches a raw callback for all events', async () => {
    const raw = vi.fn();
    consuming.consumers.register(registration('', rawHandler(raw)));
    consuming.consumers.register(registration('login', () => undefined));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([unreadable(0)]);
    await untilCommitted(consuming.main, 1);
    expect(raw).toHaveBeenCalledTimes(1);
    expect(consuming.reports.lines).toEqual(['0 unreadable']);
  });
});

describe('retry topics', () => {
  const retry = { maxAttempts: 1, delaysMs: [20, 40] };
  const first = 'game.account.game.mail.retry.1';

  it('have their own consumers, which begin at the first record', () => {
    consuming.consumers.register(registration('login', () => undefined, { retry }));
    expect(consuming.subscriptions.map(({ request }) => request)).toMatchObject([
      { topic: 'game.account', groupId: 'game.mail', startOffset: -1n },
      { topic: first, groupId: 'game.mail.retry.1', startOffset: -2n },
      { topic: 'game.account.game.mail.retry.2', groupId: 'game.mail.retry.2', startOffset: -2n },
    ]);
  });

  it('take a record through their delays to the dead letters', async () => {
    const at: number[] = [];
    const callback = (): never => {
      at.push(Date.now());
      throw new PlatformError('STREAM_UNAVAILABLE', 'not today');
    };
    consuming.consumers.register(registration('login', callback, { retry }));
    const [main, one, two] = consuming.subscriptions;
    for (const subscription of consuming.subscriptions) subscription.handler.assigned([0]);
    await main?.handler.records(0, [storedRecord(5, {})]);
    for (const [index, subscription] of [one, two].entries()) {
      await until(() => expect(consuming.appender.appended).toHaveLength(index + 1));
      const { topic, record } = consuming.appender.appended[index] ?? {};
      const stored = storedRecord(0, { ...record, ...(topic === undefined ? {} : { topic }) });
      await subscription?.handler.records(0, [stored]);
    }
    await until(() => expect(consuming.appender.appended).toHaveLength(3));
    expect(consuming.appender.appended.map(({ topic }) => topic)).toEqual([
      first,
      'game.account.game.mail.retry.2',
      'game.account.dlq',
    ]);
    expect(consuming.appender.appended[2]?.record.headers).toMatchObject({
      'x-original-topic': 'game.account',
      'x-original-offset': '5',
      'x-attempts': '3',
      'x-error': 'STREAM_UNAVAILABLE: not today',
      'x-consumer-group': 'game.mail',
    });
    const [began = 0, second = 0, third = 0] = at;
    expect(second - began).toBeGreaterThanOrEqual(19);
    expect(third - second).toBeGreaterThanOrEqual(39);
    if (one) await untilCommitted(one, 1);
  });

  it('hand a record only to the group in which it failed', async () => {
    const all = vi.fn();
    const login = vi.fn();
    consuming.consumers.register(registration('', all, { retry }));
    consuming.consumers.register(registration('login', login, { retry }));
    const [, one] = consuming.subscriptions;
    one?.handler.assigned([0]);
    const headers = { 'x-subscription': 'login', 'x-attempts': '1', 'x-retry-due-at': '0' };
    await one?.handler.records(0, [
      storedRecord(0, { topic: first, headers }),
      storedRecord(1, { topic: first, headers: { ...headers, 'x-subscription': 'gone' } }),
    ]);
    if (one) await untilCommitted(one, 2);
    expect(all).not.toHaveBeenCalled();
    expect(login).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ attempt: 2 }),
      expect.objectContaining({ name: 'login' }),
      null,
    );
    expect(consuming.reports.lines).toEqual(['0 handled', '1 skipped']);
  });
});

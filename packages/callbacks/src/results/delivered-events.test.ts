import type { CallbackEventName } from '@posthaste/contracts';
import { type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { untilState, useDispatchers } from '../../test/delivering.js';
import { TestSink, type TestSinkAppender } from '../../test/events.js';
import { accept, acceptOne, type TestCallback } from '../../test/live-callbacks.js';
import { useOwnStore } from '../../test/test-store.js';
import type { RetryPolicy } from '../retry/retry-policy.js';

const twice: RetryPolicy = { kind: 'phases', phases: [{ retries: 1, delayNs: 5_000_000n }] };
const waitOptions = { timeout: 10_000, interval: 20 };

describeWithPostgres('events about results', () => {
  describe.each(['transaction', 'statement'] as const)('appended by the %s', suite);
});

function suite(appender: TestSinkAppender): void {
  const store = useOwnStore();
  let receiver: Receiver;
  let sink: TestSink;
  const useSink = async (wanted?: readonly CallbackEventName[]): Promise<void> => {
    sink = await TestSink.create(store.db, wanted, appender);
  };
  beforeEach(() => useSink());
  afterEach(() => receiver.close());
  const dispatch = useDispatchers(store);
  const start = (recordWindowMs = 2) => dispatch({ recordWindowMs }, { events: sink });
  const names = async (): Promise<string[]> =>
    (await sink.events()).map(({ envelope }) => envelope.name);
  const acceptMany = (count: number, more: TestCallback = {}): Promise<string[]> =>
    accept(store.db, ...Array.from({ length: count }, () => ({ url: receiver.url, ...more })));

  it('are there for every attempt and ending, once and in order', async () => {
    receiver = await startReceiver([500, 200, 500, 500]);
    const first = await acceptOne(store.db, { url: receiver.url, policy: twice, queue: 'q' });
    const second = await acceptOne(store.db, { url: receiver.url, policy: twice, queue: 'q' });
    await start();
    await untilState(store.db, second, 'failed');
    expect(await sink.eventLines('callbackId')).toEqual([
      `callback.attempted ${first}`,
      `callback.attempted ${first}`,
      `callback.delivered ${first}`,
      `callback.attempted ${second}`,
      `callback.attempted ${second}`,
      `callback.failed ${second}`,
    ]);
    expect(new Set((await sink.events()).map(({ key }) => key))).toEqual(new Set(['/q']));
  });

  it('are there for callbacks without a queue, whose results are written together', async () => {
    receiver = await startReceiver(200);
    const ids = await acceptMany(50);
    await start();
    await vi.waitFor(async () => expect(await names()).toHaveLength(100), waitOptions);
    const events = await sink.events();
    for (const id of ids) {
      const own = events.filter(({ key }) => key === id).map(({ envelope }) => envelope.name);
      expect(own).toEqual(['callback.attempted', 'callback.delivered']);
    }
    expect(new Set(events.map(({ envelope }) => envelope.id)).size).toBe(100);
  });

  it('are all there when the statement cannot build some of those that are written together', async () => {
    receiver = await startReceiver([200, 200, 200, 500]);
    await acceptMany(2);
    await acceptMany(1, { application: 'größer "x"' });
    await acceptMany(1);
    await start(200);
    await vi.waitFor(async () => expect(await names()).toHaveLength(8), waitOptions);
    const count = (name: string): Promise<number> =>
      names().then((all) => all.filter((each) => each === name).length);
    expect(await count('callback.attempted')).toBe(4);
    expect(await count('callback.delivered')).toBe(3);
    expect(await count('callback.failed')).toBe(1);
    const namespaces = (await sink.events()).map(({ envelope }) => envelope.namespace);
    expect(namespaces.filter((namespace) => namespace === 'größer "x"')).toHaveLength(2);
  });

  it('are missing for a result whose lease was lost, and not for the others', async () => {
    receiver = await startReceiver({ kind: 'respond', status: 200, delayMs: 300 });
    const ids = await acceptMany(4);
    ids.push(...(await acceptMany(1, { application: '"' })));
    const { seen } = await start(200);
    await receiver.waitFor(5);
    const [lost] = ids;
    await store.db.query(
      'update callbacks.head set lease_token = gen_random_uuid() where callback_id = $1',
      [lost],
    );
    await vi.waitFor(() => expect(seen.leasesLost).toBe(1), waitOptions);
    const events = await sink.eventLines('callbackId');
    expect(events.filter((line) => line.startsWith('callback.delivered'))).toHaveLength(4);
    expect(events.filter((line) => line.endsWith(lost ?? ''))).toEqual([]);
    await store.db.query('truncate callbacks.head, callbacks.history, callbacks.request');
  });

  it('are written with the result or not at all', async () => {
    receiver = await startReceiver(200);
    await sink.failNext(2);
    const id = await acceptOne(store.db, { url: receiver.url });
    const { seen } = await start();
    await untilState(store.db, id, 'delivered');
    expect(seen.errors).toHaveLength(2);
    expect(await names()).toEqual(['callback.attempted', 'callback.delivered']);
    expect(receiver.count).toBe(1);
  });

  it.each<[CallbackEventName[], string[]]>([
    [['callback.failed'], ['callback.failed']],
    [['callback.delivered'], ['callback.delivered']],
    [['callback.attempted'], ['callback.attempted', 'callback.attempted']],
  ])('are only %j when nothing else is wanted', async (wanted, expected) => {
    receiver = await startReceiver([200, 500]);
    await useSink(wanted);
    const [first = '', second = ''] = await acceptMany(2);
    await start();
    await Promise.all([
      vi.waitFor(() => expect(receiver.count).toBe(2), waitOptions),
      vi.waitFor(async () => expect(await names()).toHaveLength(expected.length), waitOptions),
    ]);
    expect(await names()).toEqual(expected);
    await untilState(store.db, first, 'delivered').catch(() =>
      untilState(store.db, second, 'delivered'),
    );
  });
}

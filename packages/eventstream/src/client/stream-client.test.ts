import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { fromStart, openMemoryClient } from '../../test/memory-client.js';
import { until } from '../../test/until.js';
import { newSubscribe } from '../builders/subscribe.js';
import { MemoryStream } from '../drivers/memory/memory-stream.js';
import { toPrometheusText } from '../metrics/metric-family.js';
import { createClient } from './create-client.js';

describe('consuming', () => {
  it('calls back with each event of a name', async () => {
    const { client } = await openMemoryClient();
    const callback = vi.fn();
    client.register(
      newSubscribe()
        .topic('orders')
        .eventName('placed')
        .groupId('mail')
        .offset(-2)
        .callback(callback),
    );
    await client.publish({ topic: 'orders', eventName: 'paid' });
    const { id } = await client.publish({ topic: 'orders', eventName: 'placed' });
    await until(() => expect(callback).toHaveBeenCalledOnce());
    expect(callback.mock.calls[0]).toMatchObject([{ groupId: 'shop.mail' }, { id }, null]);
    await client.close();
  });

  it('puts a dot before the groups of an empty prefix if asked', async () => {
    const memory = new MemoryStream({ partitions: 1 });
    const client = await createClient('', 'memory', [], { memory, leadingDotGroups: true });
    client.register({ topic: 'orders', groupId: 'mail', callback: vi.fn(), ...fromStart });
    await until(async () => {
      expect((await client.lag('orders')).map(({ groupId }) => groupId)).toEqual(['.mail']);
    });
    await client.close();
  });

  it('uses the retry policy of the client', async () => {
    const { client, memory } = await openMemoryClient({ retry: { maxAttempts: 1 } });
    const callback = vi.fn().mockRejectedValue(new Error('no'));
    client.register({ topic: 'orders', groupId: 'mail', callback, ...fromStart });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    await until(() => expect(memory.records('shop.orders.dlq')).toHaveLength(1));
    expect(callback).toHaveBeenCalledOnce();
    await client.close();
  });

  it('lets handlers publish while the client closes', async () => {
    const { client, memory } = await openMemoryClient();
    const callback = vi.fn(async () => {
      await sleep(50);
      await client.publish({ topic: 'mails', eventName: 'sent' });
    });
    client.register({ topic: 'orders', groupId: 'mail', callback, ...fromStart });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    await until(() => expect(callback).toHaveBeenCalled());
    await client.close();
    expect(memory.records('shop.mails')).toHaveLength(1);
    expect(memory.committed('shop.orders', 'shop.mail').get(0)).toBe(1n);
  });
});

interface ShopTopics {
  orders: {
    placed: { total: number };
    cancelled: { reason: string };
  };
}

describe('a typed client', () => {
  const schemas = {
    orders: {
      placed: {
        type: 'object',
        properties: { total: { type: 'number', minimum: 0 } },
        required: ['total'],
      },
    },
  };

  it('knows the payload of each event', async () => {
    const memory = new MemoryStream({ partitions: 1 });
    const client = await createClient<ShopTopics>('shop', 'memory', [], { memory, schemas });
    const totals: number[] = [];
    client.register({
      topic: 'orders',
      eventName: 'placed',
      callback: (_ctx, event) => {
        totals.push(event?.payload?.total ?? Number.NaN);
      },
      ...fromStart,
    });
    await client.publish({ topic: 'orders', eventName: 'placed', payload: { total: 5 } });
    await client.publish({ topic: 'orders', eventName: 'cancelled', payload: { reason: 'x' } });
    const misfit = { topic: 'orders', eventName: 'placed', payload: { reason: 'x' } } as const;
    // @ts-expect-error: a payload of another event
    const wrong = client.publish(misfit);
    await expect(wrong).rejects.toMatchObject({
      code: 'EVENT_INVALID',
      details: { field: 'payload', errors: [{ path: '', message: expect.any(String) }] },
    });
    // @ts-expect-error: no such event
    await client.publish({ topic: 'orders', eventName: 'lost', payload: {} });
    await until(() => expect(totals).toEqual([5]));
    await client.close();
  });

  it('writes received events that do not fit their schema to the dead letters, without another try', async () => {
    const memory = new MemoryStream({ partitions: 1 });
    const client = await createClient<ShopTopics>('shop', 'memory', [], { memory, schemas });
    const stranger = await createClient('shop', 'memory', [], { memory });
    const callback = vi.fn();
    for (let times = 0; times < 2; times += 1) {
      client.register({
        topic: 'orders',
        eventName: 'placed',
        groupId: 'g',
        callback,
        ...fromStart,
      });
    }
    await stranger.publish({ topic: 'orders', eventName: 'placed', payload: { total: -1 } });
    await until(() => expect(memory.records('shop.orders.dlq')).toHaveLength(1));
    expect(memory.records('shop.orders.dlq')[0]?.headers['x-attempts']).toBe('1');
    expect(callback).not.toHaveBeenCalled();
    await Promise.all([client.close(), stranger.close()]);
  });
});

describe('health and metrics', () => {
  it('reports when the stream cannot be reached, and when it can be reached again', async () => {
    const { client, memory } = await openMemoryClient();
    client.register({ topic: 'orders', groupId: 'mail', callback: vi.fn(), ...fromStart });
    await until(async () => {
      expect(await client.health()).toMatchObject({
        healthy: true,
        streamError: undefined,
        consumers: [{ topic: 'shop.orders', groupId: 'shop.mail', partitions: [0] }],
      });
    });
    memory.stop();
    expect(await client.health()).toMatchObject({
      healthy: false,
      streamError: { code: 'STREAM_UNAVAILABLE' },
      consumers: [{ interruption: { code: 'STREAM_UNAVAILABLE' } }],
    });
    memory.start();
    await client.publish({ topic: 'orders', eventName: 'placed' });
    await until(async () => expect((await client.health()).healthy).toBe(true));
    await client.close();
  });

  it('shows a blocked partition until another consumer owns it', async () => {
    const { client, memory } = await openMemoryClient();
    memory.failAppends({ code: 'EVENT_TOO_LARGE', topic: 'shop.orders.dlq', times: 1_000 });
    const callback = (): never => {
      throw new Error('always');
    };
    const subscription = { topic: 'orders', retry: { maxAttempts: 1 }, callback, ...fromStart };
    const registered = client.register({ ...subscription, groupId: 'mail' });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    const labels = '{topic="shop.orders",group="shop.mail"}';
    const blocked = async (): Promise<string | undefined> =>
      toPrometheusText(await client.metrics())
        .split('\n')
        .find((line) => line.startsWith(`posthaste_eventstream_partitions_blocked${labels}`));
    await until(async () => expect(await blocked()).toMatch(/ 1$/));
    await registered.close();
    expect(await blocked()).toBeUndefined();
    await client.close();
  });

  it('counts events, and shows the lag of a consumer that does not get on', async () => {
    const { client } = await openMemoryClient();
    const callback = vi.fn(() => new Promise(() => undefined));
    client.register({ topic: 'orders', groupId: 'mail', callback, drainMs: 1, ...fromStart });
    for (let count = 0; count < 3; count += 1) {
      await client.publish({ topic: 'orders', eventName: 'placed' });
    }
    await until(() => expect(callback).toHaveBeenCalled());
    const text = toPrometheusText(await client.metrics());
    expect(text).toContain('posthaste_eventstream_published_total{topic="shop.orders"} 3');
    expect(text).toContain(
      'posthaste_eventstream_consumer_lag{topic="shop.orders",group="shop.mail",partition="0"} 3',
    );
    await client.close({ drainMs: 50 });
  });

  it('has the names and labels of the Go SDK if asked', async () => {
    const { client } = await openMemoryClient({ metricNames: 'original' });
    const callback = vi.fn();
    client.register({ topic: 'orders', eventName: 'placed', groupId: 'm', callback, ...fromStart });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    await until(() => expect(callback).toHaveBeenCalled());
    expect(toPrometheusText(await client.metrics())).toContain(
      'ab_eventstream_kafka_reader_messages{topic="orders",event="placed"} 1',
    );
    await client.close();
  });

  it('logs the levels of its mode', async () => {
    const logger = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() };
    for (const logMode of ['off', 'error', 'warn'] as const) {
      const { client, memory } = await openMemoryClient({ logger, logMode });
      memory.failAppends({ code: 'STREAM_UNAUTHORIZED' });
      await client.publish({ topic: 'orders', eventName: 'placed' }).catch(() => undefined);
      await client.close();
    }
    expect(logger.error).toHaveBeenCalledTimes(2);
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });
});

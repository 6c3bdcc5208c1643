import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { newAuditLog } from '../audit/audit-log.js';
import { newPublish } from '../builders/publish.js';
import { newSubscribe } from '../builders/subscribe.js';
import { MemoryStream } from '../drivers/memory/memory-stream.js';
import { decodeEnvelope } from '../envelope/decode.js';
import { toPrometheusText } from '../metrics/metric-family.js';
import type { Client } from './client.js';
import type { ClientConfig } from './client-config.js';
import { createClient } from './create-client.js';

/** Reads from the beginning, so that a test need not wait for the consumer to have joined. */
const fromStart = { offset: -2 } as const;

async function clientOf(
  config: ClientConfig = {},
): Promise<{ client: Client; memory: MemoryStream }> {
  const memory = config.memory ?? new MemoryStream({ partitions: 1 });
  return { client: await createClient('shop', 'memory', [], { ...config, memory }), memory };
}

describe('createClient', () => {
  it('refuses a stream that does not exist', async () => {
    await expect(createClient('p', 'rabbit' as 'kafka')).rejects.toMatchObject({
      code: 'STREAM_UNSUPPORTED',
      message: 'unsupported stream',
    });
  });

  it('refuses wrong options', async () => {
    await expect(createClient('p', 'none', [], { lingerMs: -1 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    await expect(createClient('p', 'postgres')).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    const schemas = { orders: { placed: { type: 'nonsense' } } };
    await expect(createClient('p', 'none', [], { schemas })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });

  it('hands the options of Kafka to its driver, and connects to nothing', async () => {
    const invalid = expect.objectContaining({ code: 'OPTION_INVALID' });
    const brokers = ['localhost:1'];
    await expect(createClient('p', 'kafka')).rejects.toEqual(invalid);
    await expect(createClient('p', 'kafka', brokers, { acks: 'some' as 'all' })).rejects.toEqual(
      invalid,
    );
    const client = await createClient('p', 'kafka', brokers, { lingerMs: 0, sendErrorDlq: true });
    await client.close();
  });

  it('makes clients that keep nothing, too', async () => {
    const client = await createClient('p', 'none');
    await client.publish({ topic: 'orders', eventName: 'placed' });
    client.register({ topic: 'orders', callback: vi.fn() });
    expect(await client.health()).toMatchObject({ healthy: true });
    await client.close();
  });
});

describe('publishing', () => {
  it('sends a plain object and resolves when it is stored', async () => {
    const { client, memory } = await clientOf();
    const event = await client.publish({
      topic: 'orders',
      eventName: 'placed',
      key: 'k',
      payload: { total: 3 },
    });
    const [record] = memory.records('shop.orders');
    expect(record?.key?.toString()).toBe('k');
    expect(decodeEnvelope(record?.value ?? Buffer.alloc(0))).toEqual(event);
    expect(record?.headers.ce_id).toBe(event.id);
    await client.close();
  });

  it('sends the same bytes to all topics', async () => {
    const { client, memory } = await clientOf();
    await client.publishSync(newPublish().topic('orders', 'audit').eventName('placed'));
    const [first] = memory.records('shop.orders');
    const [second] = memory.records('shop.audit');
    expect(first?.value).toEqual(second?.value);
    await client.close();
  });

  it('accepts what a builder made before it is stored, and flushes at close', async () => {
    const { client, memory } = await clientOf({ lingerMs: 1_000 });
    await client.publish(newPublish().topic('orders').eventName('placed'));
    expect(memory.records('shop.orders')).toEqual([]);
    await client.close();
    expect(memory.records('shop.orders')).toHaveLength(1);
    const late = client.publish({ topic: 'orders', eventName: 'placed' });
    await expect(late).rejects.toMatchObject({ code: 'STREAM_CLOSED' });
  });

  it('tells the error callback the event, the topic and the cause', async () => {
    const { client, memory } = await clientOf();
    memory.failAppends({ code: 'STREAM_UNAUTHORIZED', topic: 'shop.audit', times: 2 });
    const told = vi.fn();
    const event = newPublish().topic('orders', 'audit').eventName('placed').errorCallback(told);
    const { id } = await client.publish(event);
    await vi.waitFor(() => expect(told).toHaveBeenCalledOnce());
    expect(told.mock.calls[0]).toMatchObject([{ id }, { code: 'STREAM_UNAUTHORIZED' }]);
    await expect(client.publishSync(event)).rejects.toMatchObject({ code: 'STREAM_UNAUTHORIZED' });
    expect(told).toHaveBeenCalledTimes(2);
    expect(memory.records('shop.orders')).toHaveLength(2);
    await client.close();
  });

  it('survives an error callback that throws', async () => {
    const logger = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() };
    const { client, memory } = await clientOf({ logger });
    memory.failAppends({ code: 'STREAM_UNAUTHORIZED' });
    const onError = (): never => {
      throw new Error('defect');
    };
    await client.publish({ topic: 'orders', eventName: 'placed', onError }).catch(() => undefined);
    await client.publish({ topic: 'orders', eventName: 'placed', onError });
    expect(logger.error.mock.calls.map(([, message]) => message)).toContain(
      'an error callback failed',
    );
    await client.close();
  });

  it('refuses what is not valid', async () => {
    const { client } = await clientOf();
    const nothing = client.publish(undefined as never);
    await expect(nothing).rejects.toThrow('unable to publish nil event');
    await expect(client.publish({ topic: 'orders', eventName: '' })).rejects.toMatchObject({
      code: 'EVENT_INVALID',
    });
    await client.close();
  });

  it('uses the profile and the trace context of the client', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { client, memory } = await clientOf({ profile: 'v3.1', traceparent: () => traceparent });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    const [record] = memory.records('shop.orders');
    expect(String(record?.value)).toContain('"payload":null');
    expect(record?.headers.traceparent).toBe(traceparent);
    await client.close();
  });

  it('checks ids when validation is strict', async () => {
    const { client } = await clientOf({ strictValidation: true });
    const event = { topic: 'orders', eventName: 'placed', userId: 'nobody' };
    await expect(client.publish(event)).rejects.toThrow("userID isn't valid");
    await client.close();
  });
});

describe('audit logs', () => {
  const log = {
    category: 'account',
    actionName: 'ban',
    actor: '9b0c2b9ed3ae4d6f8fdf1b2a3c4d5e6f',
    actorType: 'USER',
    clientId: '0f1e2d3c4b5a4697a8b9cadbecfd0e1f',
    actorNamespace: 'game',
    objectNamespace: 'game',
  } as const;

  it('go to their topic, without a key unless one is given', async () => {
    const { client, memory } = await clientOf();
    await client.publishAuditLog(log);
    const [record] = memory.records('shop.auditLog');
    expect(record?.key).toBeNull();
    expect(JSON.parse(String(record?.value))).toMatchObject({ actionName: 'ban' });
    await client.close();
  });

  it('are dropped when they are turned off', async () => {
    const { client, memory } = await clientOf({ audit: { enabled: false, topic: 'auditLog' } });
    await client.publishAuditLog(log);
    expect(memory.records('shop.auditLog')).toEqual([]);
    await client.close();
  });

  it('tell their error callback the bytes and the cause', async () => {
    const { client, memory } = await clientOf();
    memory.failAppends({ code: 'STREAM_UNAUTHORIZED', times: 2 });
    const onError = vi.fn();
    const failed = client.publishAuditLog({ ...log, onError });
    await expect(failed).rejects.toMatchObject({ code: 'STREAM_UNAUTHORIZED' });
    expect(onError).toHaveBeenCalledWith(expect.any(Buffer), expect.anything());
    const builder = newAuditLog().category('account').actionName('ban').isActorTypeUser(true);
    builder.actor(log.actor).clientId(log.clientId).actorNamespace('a').objectNamespace('a');
    await client.publishAuditLog(builder.errorCallback(onError));
    await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(2));
    await client.close();
  });
});

describe('consuming', () => {
  it('calls back with each event of a name', async () => {
    const { client } = await clientOf();
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
    await vi.waitFor(() => expect(callback).toHaveBeenCalledOnce());
    expect(callback.mock.calls[0]).toMatchObject([{ groupId: 'shop.mail' }, { id }, null]);
    await client.close();
  });

  it('puts a dot before the groups of an empty prefix when asked to', async () => {
    const memory = new MemoryStream({ partitions: 1 });
    const client = await createClient('', 'memory', [], { memory, leadingDotGroups: true });
    client.register({ topic: 'orders', groupId: 'mail', callback: vi.fn(), ...fromStart });
    await vi.waitFor(async () => {
      expect((await client.lag('orders')).map(({ groupId }) => groupId)).toEqual(['.mail']);
    });
    await client.close();
  });

  it('uses the retry policy of the client', async () => {
    const { client, memory } = await clientOf({ retry: { maxAttempts: 1 } });
    const callback = vi.fn().mockRejectedValue(new Error('no'));
    client.register({ topic: 'orders', groupId: 'mail', callback, ...fromStart });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    await vi.waitFor(() => expect(memory.records('shop.orders.dlq')).toHaveLength(1));
    expect(callback).toHaveBeenCalledOnce();
    await client.close();
  });

  it('lets handlers publish while the client closes', async () => {
    const { client, memory } = await clientOf();
    const callback = vi.fn(async () => {
      await sleep(50);
      await client.publish({ topic: 'mails', eventName: 'sent' });
    });
    client.register({ topic: 'orders', groupId: 'mail', callback, ...fromStart });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    await vi.waitFor(() => expect(callback).toHaveBeenCalled());
    await client.close();
    expect(memory.records('shop.mails')).toHaveLength(1);
    expect(memory.committed('shop.orders', 'shop.mail').get(0)).toBe(1n);
  });
});

describe('consume', () => {
  it('gives events to a loop and commits what it acknowledges', async () => {
    const { client, memory } = await clientOf();
    for (const eventName of ['a', 'b', 'c']) await client.publish({ topic: 'orders', eventName });
    const seen: string[] = [];
    const subscription = { topic: 'orders', groupId: 'loop', ...fromStart };
    for await (const delivery of client.consume(subscription)) {
      seen.push(delivery.event.name);
      if (delivery.event.name === 'c') break;
      delivery.ack();
    }
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(memory.committed('shop.orders', 'shop.loop').get(0)).toBe(2n);
    await client.close();
  });

  it('brings an event again that the loop refuses', async () => {
    const { client } = await clientOf({ retry: { initialMs: 1 } });
    await client.publish({ topic: 'orders', eventName: 'a' });
    const attempts: number[] = [];
    const subscription = { topic: 'orders', groupId: 'loop', ...fromStart };
    for await (const delivery of client.consume(subscription)) {
      attempts.push(delivery.attempt);
      if (attempts.length === 3) {
        delivery.ack();
        break;
      }
      delivery.nack(new Error('not yet'));
    }
    expect(attempts).toEqual([1, 2, 3]);
    await client.close();
  });

  it('does not lose what it had not handed out when the loop is left', async () => {
    const memory = new MemoryStream({ partitions: 4 });
    const { client } = await clientOf({ memory, partitioner: 'round-robin' });
    const names = ['a', 'b', 'c', 'd'];
    for (const eventName of names) await client.publish({ topic: 'orders', eventName });
    const subscription = { topic: 'orders', groupId: 'loop', ...fromStart };
    const loop = client.consume(subscription);
    const first = await loop.next();
    first.value?.ack();
    await sleep(20);
    const startedAt = performance.now();
    await loop.return?.();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    const rest: string[] = [];
    for await (const delivery of client.consume(subscription)) {
      rest.push(delivery.event.name);
      delivery.ack();
      if (rest.length === 3) break;
    }
    expect([first.value?.event.name, ...rest].sort()).toEqual(names);
    await client.close();
  });

  it('ends the loop when the client closes, and lets it finish the event in hand', async () => {
    const { client, memory } = await clientOf();
    await client.publish({ topic: 'orders', eventName: 'a' });
    const subscription = { topic: 'orders', groupId: 'loop', ...fromStart };
    let closed: Promise<void> | undefined;
    for await (const delivery of client.consume(subscription)) {
      closed = client.close();
      await sleep(20);
      expect(delivery.signal.aborted).toBe(true);
      delivery.ack();
    }
    await closed;
    expect(memory.committed('shop.orders', 'shop.loop').get(0)).toBe(1n);
  });

  it('ends the loop when its signal is aborted', async () => {
    const { client } = await clientOf();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const subscription = { topic: 'orders', groupId: 'loop', signal: controller.signal };
    for await (const _ of client.consume(subscription)) expect.unreachable();
    await client.close();
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
    await vi.waitFor(() => expect(totals).toEqual([5]));
    await client.close();
  });

  it('puts received events that do not fit into the dead letters, without trying again', async () => {
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
    await vi.waitFor(() => expect(memory.records('shop.orders.dlq')).toHaveLength(1));
    expect(memory.records('shop.orders.dlq')[0]?.headers['x-attempts']).toBe('1');
    expect(callback).not.toHaveBeenCalled();
    await Promise.all([client.close(), stranger.close()]);
  });
});

describe('health and metrics', () => {
  it('says when the stream is away, and that it is back', async () => {
    const { client, memory } = await clientOf();
    client.register({ topic: 'orders', groupId: 'mail', callback: vi.fn(), ...fromStart });
    await vi.waitFor(async () => {
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
    await vi.waitFor(async () => expect((await client.health()).healthy).toBe(true));
    await client.close();
  });

  it('shows a partition that stands still until another consumer has it', async () => {
    const { client, memory } = await clientOf();
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
    await vi.waitFor(async () => expect(await blocked()).toMatch(/ 1$/), 5_000);
    await registered.close();
    expect(await blocked()).toBeUndefined();
    await client.close();
  });

  it('counts what it did, and the lag that grows when a consumer is stuck', async () => {
    const { client } = await clientOf();
    const callback = vi.fn(() => new Promise(() => undefined));
    client.register({ topic: 'orders', groupId: 'mail', callback, drainMs: 1, ...fromStart });
    for (let count = 0; count < 3; count += 1) {
      await client.publish({ topic: 'orders', eventName: 'placed' });
    }
    await vi.waitFor(() => expect(callback).toHaveBeenCalled());
    const text = toPrometheusText(await client.metrics());
    expect(text).toContain('posthaste_eventstream_published_total{topic="shop.orders"} 3');
    expect(text).toContain(
      'posthaste_eventstream_consumer_lag{topic="shop.orders",group="shop.mail",partition="0"} 3',
    );
    await client.close({ drainMs: 50 });
  });

  it('has the names and labels of the Go SDK on demand', async () => {
    const { client } = await clientOf({ metricNames: 'original' });
    const callback = vi.fn();
    client.register({ topic: 'orders', eventName: 'placed', groupId: 'm', callback, ...fromStart });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    await vi.waitFor(() => expect(callback).toHaveBeenCalled());
    expect(toPrometheusText(await client.metrics())).toContain(
      'ab_eventstream_kafka_reader_messages{topic="orders",event="placed"} 1',
    );
    await client.close();
  });

  it('logs what its mode asks for', async () => {
    const logger = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() };
    for (const logMode of ['off', 'error', 'warn'] as const) {
      const { client, memory } = await clientOf({ logger, logMode });
      memory.failAppends({ code: 'STREAM_UNAUTHORIZED' });
      await client.publish({ topic: 'orders', eventName: 'placed' }).catch(() => undefined);
      await client.close();
    }
    expect(logger.error).toHaveBeenCalledTimes(2);
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });
});

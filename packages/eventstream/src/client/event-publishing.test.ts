import { describe, expect, it, vi } from 'vitest';
import { openMemoryClient } from '../../test/memory-client.js';
import { until } from '../../test/until.js';
import { newAuditLog } from '../audit/audit-log.js';
import { newPublish } from '../builders/publish.js';
import { decodeEnvelope } from '../envelope/decode.js';

describe('publishing', () => {
  it('sends a plain object and resolves when it is stored', async () => {
    const { client, memory } = await openMemoryClient();
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
    const { client, memory } = await openMemoryClient();
    await client.publishSync(newPublish().topic('orders', 'audit').eventName('placed'));
    const [first] = memory.records('shop.orders');
    const [second] = memory.records('shop.audit');
    expect(first?.value).toEqual(second?.value);
    await client.close();
  });

  it('accepts a builder’s event before it is stored, and flushes at close', async () => {
    const { client, memory } = await openMemoryClient({ lingerMs: 1_000 });
    await client.publish(newPublish().topic('orders').eventName('placed'));
    expect(memory.records('shop.orders')).toEqual([]);
    await client.close();
    expect(memory.records('shop.orders')).toHaveLength(1);
    const late = client.publish({ topic: 'orders', eventName: 'placed' });
    await expect(late).rejects.toMatchObject({ code: 'STREAM_CLOSED' });
  });

  it('calls the error callback with the event and the error', async () => {
    const { client, memory } = await openMemoryClient();
    memory.failAppends({ code: 'STREAM_UNAUTHORIZED', topic: 'shop.audit', times: 2 });
    const reported = vi.fn();
    const event = newPublish().topic('orders', 'audit').eventName('placed').errorCallback(reported);
    const { id } = await client.publish(event);
    await until(() => expect(reported).toHaveBeenCalledOnce());
    expect(reported.mock.calls[0]).toMatchObject([{ id }, { code: 'STREAM_UNAUTHORIZED' }]);
    await expect(client.publishSync(event)).rejects.toMatchObject({ code: 'STREAM_UNAUTHORIZED' });
    expect(reported).toHaveBeenCalledTimes(2);
    expect(memory.records('shop.orders')).toHaveLength(2);
    await client.close();
  });

  it('survives an error callback that throws', async () => {
    const logger = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() };
    const { client, memory } = await openMemoryClient({ logger });
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

  it('refuses invalid events', async () => {
    const { client } = await openMemoryClient();
    const nothing = client.publish(undefined as never);
    await expect(nothing).rejects.toThrow('unable to publish nil event');
    await expect(client.publish({ topic: 'orders', eventName: '' })).rejects.toMatchObject({
      code: 'EVENT_INVALID',
    });
    await client.close();
  });

  it('uses the profile and the trace context of the client', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { client, memory } = await openMemoryClient({
      profile: 'v3.1',
      traceparent: () => traceparent,
    });
    await client.publish({ topic: 'orders', eventName: 'placed' });
    const [record] = memory.records('shop.orders');
    expect(String(record?.value)).toContain('"payload":null');
    expect(record?.headers.traceparent).toBe(traceparent);
    await client.close();
  });

  it('checks ids when validation is strict', async () => {
    const { client } = await openMemoryClient({ strictValidation: true });
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
    const { client, memory } = await openMemoryClient();
    await client.publishAuditLog(log);
    const [record] = memory.records('shop.auditLog');
    expect(record?.key).toBeNull();
    expect(JSON.parse(String(record?.value))).toMatchObject({ actionName: 'ban' });
    await client.close();
  });

  it('are dropped when they are disabled', async () => {
    const { client, memory } = await openMemoryClient({
      audit: { enabled: false, topic: 'auditLog' },
    });
    await client.publishAuditLog(log);
    expect(memory.records('shop.auditLog')).toEqual([]);
    await client.close();
  });

  it('call their error callback with the bytes and the error', async () => {
    const { client, memory } = await openMemoryClient();
    memory.failAppends({ code: 'STREAM_UNAUTHORIZED', times: 2 });
    const onError = vi.fn();
    const failed = client.publishAuditLog({ ...log, onError });
    await expect(failed).rejects.toMatchObject({ code: 'STREAM_UNAUTHORIZED' });
    expect(onError).toHaveBeenCalledWith(expect.any(Buffer), expect.anything());
    const builder = newAuditLog().category('account').actionName('ban').isActorTypeUser(true);
    builder.actor(log.actor).clientId(log.clientId).actorNamespace('a').objectNamespace('a');
    await client.publishAuditLog(builder.errorCallback(onError));
    await until(() => expect(onError).toHaveBeenCalledTimes(2));
    await client.close();
  });
});

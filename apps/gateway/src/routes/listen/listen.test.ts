import { once } from 'node:events';
import { get } from 'node:http';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import {
  createPlatformDatabase,
  openTestPlatform,
  type TestPlatform,
} from '../../../test/test-platform.js';

const waitOptions = { timeout: 30_000 };

interface Listener {
  readonly frames: { readonly type: string; readonly body?: string }[];
  readonly socket: WebSocket;
}

describeWithPostgres('GET /v1/listen', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let platform: TestPlatform;
  let base: string;
  let keys: { readonly all: string; readonly shop: string; readonly other: string };
  let endpoint: string;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    platform = await openTestPlatform(database, {});
    base = await platform.listen();
    keys = {
      all: await platform.createKey(),
      shop: await platform.createKey({ applications: ['shop'], scopes: ['callbacks:read'] }),
      other: await platform.createKey({ applications: ['other'] }),
    };
    const body = { name: 'orders', url: 'https://example.com/', application: 'shop' };
    const created = await platform.as(keys.all)<{ endpoint: { id: string } }>(
      'POST',
      '/v1/endpoints',
      body,
    );
    endpoint = created.json.endpoint.id;
    const subscription = { endpointId: endpoint, eventName: 'order.*' };
    await platform.as(keys.all)('POST', '/v1/subscriptions', subscription);
  });
  afterAll(async () => {
    await platform.close();
    await database.drop();
  });

  function open(query: string, key?: string): WebSocket {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/listen?${query}`, { headers });
    onTestFinished(() => socket.terminate());
    return socket;
  }

  async function statusOf(query: string, key?: string): Promise<number> {
    const socket = open(query, key);
    socket.on('error', () => undefined);
    const [, answer] = await once(socket, 'unexpected-response');
    answer.resume();
    return answer.statusCode;
  }

  async function listen(query: string, key: string): Promise<Listener> {
    const socket = open(query, key);
    const frames: Listener['frames'] = [];
    socket.on('message', (data) => frames.push(JSON.parse(String(data))));
    await expect.poll(() => frames[0]?.type, waitOptions).toBe('ready');
    return { frames, socket };
  }

  const publish = (application: string, name: string) =>
    platform.as(keys.all)('POST', '/v1/events', { topic: 'orders', name, application });

  it('refuses callers without key, scope or the application, and arguments that do not fit', async () => {
    const asked = `endpoint=${endpoint}`;
    expect(await statusOf(asked)).toBe(401);
    expect(await statusOf(asked, `${keys.shop}x`)).toBe(401);
    const without = await platform.createKey({ scopes: ['events:read'] });
    expect(await statusOf(asked, without)).toBe(403);
    expect(await statusOf(asked, keys.other)).toBe(404);
    expect(await statusOf(`${asked}&application=shop`, keys.other)).toBe(403);
    expect(await statusOf(`${asked}&topic=orders`, keys.shop)).toBe(422);
    expect(await statusOf('topic=nowhere', keys.shop)).toBe(404);
    expect(await statusOf('topic=audit', keys.shop)).toBe(403);
  });

  it('sends requests for events of the application only, until the key is revoked', async () => {
    const key = await platform.createKey({ applications: ['shop'], scopes: ['callbacks:read'] });
    await publish('shop', 'order.before');
    const { frames, socket } = await listen(`endpoint=${endpoint}`, key);
    await publish('other', 'order.foreign');
    await publish('shop', 'order.placed');
    const requests = () => frames.filter(({ type }) => type === 'request');
    await expect.poll(() => requests().length, waitOptions).toBe(1);
    const body = Buffer.from(requests()[0]?.body ?? '', 'base64').toString();
    expect(JSON.parse(body)).toMatchObject({ name: 'order.placed' });
    const closed = once(socket, 'close');
    const { id } = await platform.keys.authenticate(key);
    await platform.keys.revokeKey(id, 'all');
    expect(await closed).toMatchObject([1001, expect.anything()]);
  });

  it('sends a few MiB ahead of a client that is slow, and the rest in the end', async () => {
    const count = 14;
    const payload = { text: 'x'.repeat(700_000) };
    const { socket } = await listen(`endpoint=${endpoint}`, keys.shop);
    const open: number[] = [];
    let received = 0;
    let most = 0;
    let isSlow = true;
    const finishAll = (): void => {
      for (const _ of open.splice(0)) socket.send('{"type":"done"}');
    };
    socket.on('message', (data) => {
      if (JSON.parse(String(data)).type !== 'request') return;
      received += 1;
      open.push(String(data).length);
      most = Math.max(
        most,
        open.reduce((sum, bytes) => sum + bytes, 0),
      );
      if (!isSlow) finishAll();
    });
    const event = { topic: 'orders', name: 'order.large', application: 'shop', payload };
    for (let n = 0; n < count; n += 1) await platform.as(keys.all)('POST', '/v1/events', event);
    await expect.poll(() => most, waitOptions).toBeGreaterThan(8 * 1_048_576);
    isSlow = false;
    finishAll();
    await expect.poll(() => received, waitOptions).toBe(count);
    // The last one is that which went over the limit.
    expect(most).toBeLessThan(8 * 1_048_576 + 1_000_000);
  });

  it('answers other upgrades, and requests that offer HTTP/2, as what they are', async () => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/nothing`);
    socket.on('error', () => undefined);
    const [, answer] = await once(socket, 'unexpected-response');
    answer.resume();
    expect(answer.statusCode).toBe(404);
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': '' };
    const request = get(`${base}/health/live`, { headers });
    const [plain] = await once(request, 'response');
    plain.resume();
    expect(plain.statusCode).toBe(200);
  });
});

import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createApiKeyConfig } from '@posthaste/appsync-client';
import { createTestDatabase, freePort, type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type Environment, posthaste, startPosthaste } from './posthaste.js';

const waitOptions = { timeout: 120_000, interval: 200 };
const namespaces = [
  { name: 'chat', forwardTo: { topic: 'chat', name: 'chat.sent' } },
  { name: 'typing', durable: false, forwardTo: { topic: 'chat', name: 'chat.typing' } },
  { name: 'orders', forwardTo: { topic: 'orders', name: 'order.placed' } },
];

describeWithPostgres('channels of a namespace that forwards', () => {
  const toClose: (() => Promise<unknown>)[] = [];
  let url: string;
  let receiver: Receiver;

  beforeAll(async () => {
    const database = await createTestDatabase();
    const port = String(await freePort());
    url = `http://127.0.0.1:${port}`;
    receiver = await startReceiver(200);
    toClose.push(() => receiver.close(), database.drop);
    const file = join(await mkdtemp(join(tmpdir(), 'realtime-')), 'realtime.json');
    await writeFile(file, JSON.stringify({ namespaces }));
    const env: Environment = {
      DATABASE_URL: database.url,
      POSTHASTE_PORT: port,
      POSTHASTE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      POSTHASTE_ALLOW_LOOPBACK: 'true',
      POSTHASTE_REALTIME_CONFIG: file,
      POSTHASTE_TOPIC_APPLICATIONS: 'orders=shop',
      // A busy test machine would exceed the delay.
      POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
    };
    expect(await posthaste(['migrate'], env)).toMatchObject({ code: 0 });
    const gateway = await startPosthaste(['gateway'], env, new URL('/health/ready', url));
    const worker = await startPosthaste(['worker'], env, /the worker delivers/);
    toClose.unshift(
      () => gateway.close(),
      () => worker.close(),
    );
  }, 240_000);
  afterAll(async () => {
    for (const close of toClose) await close();
  });

  async function call<T>(path: string, body: unknown): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json() as Promise<T>;
  }

  async function open() {
    const client = await connect(createApiKeyConfig(`${url}/event`, undefined, 'any'));
    onTestFinished(() => client.close());
    return client;
  }

  it('reach webhooks, with the channel and each event once', async () => {
    const endpoint = { name: 'hook', url: receiver.url, order: 'key' };
    const created = await call<{ endpoint: { id: string } }>('/v1/endpoints', endpoint);
    await call('/v1/subscriptions', { endpointId: created.endpoint.id, eventName: 'chat.*' });
    const client = await open();
    const subscription = client.subscribe('/chat/*');
    await subscription.ready;
    for (let n = 0; n < 20; n += 1) await client.publishJson(`/chat/room-${n % 2}`, [{ n }, n]);
    await client.publishJson('/typing/anna', [true]);
    const bodies = () => receiver.requests.map(({ body }) => JSON.parse(String(body)));
    await expect.poll(() => bodies().length, waitOptions).toBe(41);
    const sent = bodies().filter(({ name }) => name === 'chat.sent');
    const inRoom = (channel: string) =>
      sent.map(({ payload }) => payload).filter((payload) => payload.channel === channel);
    for (const room of [0, 1]) {
      const numbers = Array.from({ length: 10 }, (_, i) => 2 * i + room);
      expect(inRoom(`/chat/room-${room}`).map(({ event }) => event)).toEqual(
        numbers.flatMap((n) => [{ n }, n]),
      );
    }
    expect(bodies()).toContainEqual(
      expect.objectContaining({
        name: 'chat.typing',
        payload: { channel: '/typing/anna', event: true },
      }),
    );
    expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(41);
  });

  it('are refused when the topic is one of another application, and name it', async () => {
    const client = await open();
    await expect(client.publishJson('/orders/a', [1])).rejects.toMatchObject({
      errors: [{ errorType: 'Forbidden', message: expect.stringContaining("'orders'") }],
    });
  });

  it('take nothing for the namespace of the platform', async () => {
    const client = await open();
    await expect(client.publishJson('/posthaste/callbacks', [1])).rejects.toMatchObject({
      errors: [{ errorType: 'Forbidden', message: expect.stringContaining('only the platform') }],
    });
  });
});

import { createTestDatabase, freePort, type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Environment, posthaste, startPosthaste, waitOptions } from './posthaste.js';

const keyOf = (byte: number): string => Buffer.alloc(32, byte).toString('base64');

describeWithPostgres('a worker with another secret key than the gateway', () => {
  const toClose: (() => Promise<unknown>)[] = [];
  let receiver: Receiver;
  let env: Environment;
  let url: string;
  let monitor: string;

  beforeAll(async () => {
    receiver = await startReceiver();
    const database = await createTestDatabase();
    toClose.push(() => receiver.close(), database.drop);
    const [port, workerPort] = [String(await freePort()), String(await freePort())];
    url = `http://127.0.0.1:${port}`;
    monitor = `http://127.0.0.1:${workerPort}`;
    env = {
      DATABASE_URL: database.url,
      POSTHASTE_PORT: port,
      POSTHASTE_URL: url,
      POSTHASTE_WORKER_PORT: workerPort,
      POSTHASTE_ALLOW_LOOPBACK: 'true',
      POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
      POSTHASTE_SECRET_KEY: keyOf(1),
    };
    await posthaste(['migrate'], env);
    const gateway = await startPosthaste(['gateway'], env, new URL('/health/ready', url));
    toClose.unshift(() => gateway.close());
    const other = { ...env, POSTHASTE_SECRET_KEY: keyOf(2) };
    const worker = await startPosthaste(['worker'], other, /the worker delivers/);
    toClose.unshift(() => worker.close());
  });
  afterAll(async () => {
    for (const close of toClose) await close();
  });

  async function post(path: string, body: object): Promise<string> {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(201);
    return ((await response.json()) as { id?: string }).id ?? '';
  }

  it('is not ready, and says why', async () => {
    const report = await vi.waitUntil(async () => {
      const response = await fetch(`${monitor}/health/ready`);
      return response.status === 503 && ((await response.json()) as object);
    }, waitOptions);
    expect(report).toMatchObject({
      status: 'not_ready',
      checks: expect.arrayContaining([
        { name: 'secret_key', ready: false, code: 'SECRET_UNREADABLE' },
      ]),
    });
  });

  it('shows in the callback why nothing was sent, and still delivers what is not signed', async () => {
    await post('/v1/secrets', { name: 'orders' });
    const id = await post('/v1/callbacks', { url: receiver.url, secret: 'orders' });
    const show = async () => (await posthaste(['callbacks', 'show', id], env)).stdout;
    await expect
      .poll(show, waitOptions)
      .toMatch(/not sent: secret 'orders' cannot be read.*SECRET_KEY/);
    expect(receiver.requests).toEqual([]);
    await post('/v1/callbacks', { url: receiver.url });
    await receiver.waitFor(1);
  });
});

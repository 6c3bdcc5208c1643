import { createTestDatabase, freePort, type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { postCallback } from './post-callback.js';
import { type Environment, posthaste, startPosthaste, waitOptions } from './posthaste.js';

interface CompatibleStatus {
  readonly id: string;
  readonly attempts: readonly { readonly statuscode: number }[];
  readonly locks: readonly { readonly completed: boolean; readonly machinename: string }[];
  readonly success: boolean;
}

describeWithPostgres('gateway and two workers as processes of their own', () => {
  const toClose: (() => Promise<unknown>)[] = [];
  let env: Environment;
  let receiver: Receiver;
  let url: string;
  let workerPids: number[];

  beforeAll(async () => {
    receiver = await startReceiver();
    const database = await createTestDatabase();
    toClose.push(() => receiver.close(), database.drop);
    const port = String(await freePort());
    url = `http://127.0.0.1:${port}`;
    env = {
      DATABASE_URL: database.url,
      POSTHASTE_PORT: port,
      POSTHASTE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      POSTHASTE_ALLOW_LOOPBACK: 'true',
      POSTHASTE_WORKER_CONCURRENCY_PER_HOST: '4',
    };
    const early = await startPosthaste(['worker'], env, /waiting, .*posthaste migrate/);
    expect(await early.terminate()).toEqual({ code: 0, signal: null });
    await startPosthaste(['gateway'], env, /the gateway listens/);
    const ready = async () => (await fetch(`${url}/health/ready`)).status;
    expect(await ready()).toBe(503);

    expect(await posthaste(['migrate'], env)).toMatchObject({ code: 0 });
    await vi.waitUntil(async () => (await ready()) === 200, waitOptions);
    const workers = await Promise.all([
      startPosthaste(['worker'], env, /the worker delivers/),
      startPosthaste(['worker'], env, /the worker delivers/),
    ]);
    workerPids = workers.map(({ pid }) => pid);
    toClose.unshift(...workers.map((worker) => () => worker.close()));
  });
  afterAll(async () => {
    for (const close of toClose) await close();
  });

  async function statusOf(id: string): Promise<CompatibleStatus> {
    const response = await fetch(`${url}/callback/${id}`);
    expect(response.status).toBe(200);
    return response.json() as Promise<CompatibleStatus>;
  }

  /** Sends a callback exactly as existing clients do. */
  function postCompatible(receiverUrl: string): Promise<Response> {
    return fetch(`${url}/callback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"url":"${receiverUrl}/callback","method":"GET","postdata":{"headers":{"x-header-one":"v"},"data":null},"retryphases":[{"retries":1,"delay":300000000000}],"applicationid":"test","queueid":"q","notificationemailaddress":"a@example.com"}`,
    });
  }

  it('answer a compatible request with its status, and show its attempts and locks', async () => {
    const response = await postCompatible(receiver.url);
    expect(response.status).toBe(201);
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8');
    const status = (await response.json()) as CompatibleStatus;
    expect(status).toEqual({
      id: expect.any(String),
      request: {
        url: `${receiver.url}/callback`,
        method: 'GET',
        postdata: { headers: { 'x-header-one': 'v' }, data: null },
        retryphases: [{ retries: 1, delay: 300_000_000_000 }],
        applicationid: 'test',
        queueid: 'q',
        notificationemailaddress: 'a@example.com',
      },
      attempts: [],
      locks: [],
      success: false,
    });
    await expect
      .poll(() => statusOf(status.id))
      .toMatchObject({
        attempts: [{ statuscode: 200, response: { data: '' }, duration: expect.any(Number) }],
        locks: [{ completed: true, machinename: expect.any(String) }],
        success: true,
      });
    expect(receiver.requests.at(-1)?.headers).toMatchObject({ 'x-header-one': 'v' });
  });

  it('show the failed attempt to an address where no server listens', async () => {
    const response = await postCompatible(`http://127.0.0.1:${await freePort()}`);
    const { id } = (await response.json()) as CompatibleStatus;
    await expect
      .poll(() => statusOf(id))
      .toMatchObject({
        attempts: [{ statuscode: 0, response: { headers: null, data: null } }],
        locks: [{ completed: true }],
        success: false,
      });
  });

  it('share the work between both workers', async () => {
    // Slow, with few attempts at once per worker: one worker alone would need much longer.
    receiver.follow({ kind: 'respond', delayMs: 100 });
    const ids = await Promise.all(
      Array.from({ length: 60 }, () => postCallback(url, receiver.url, { application: 'shared' })),
    );
    const delivered = async () => (await Promise.all(ids.map(statusOf))).every((s) => s.success);
    await expect.poll(delivered, waitOptions).toBe(true);
    const machines = (await Promise.all(ids.map(statusOf))).flatMap(({ locks }) =>
      locks.map(({ machinename }) => machinename),
    );
    const pids = new Set(machines.map((name) => Number(/:(\d+)/.exec(name)?.[1])));
    expect([...pids].sort()).toEqual([...workerPids].sort());
  });
});

import { PlatformError } from '@posthaste/contracts';
import { freePort, type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, expect, it, vi } from 'vitest';
import { untilState, useDispatchers, viewOf } from '../../test/delivering.js';
import { accept, acceptOne } from '../../test/live-callbacks.js';
import { useOwnStore } from '../../test/test-store.js';
import type { CallbackState } from '../delivery/delivery.js';
import type { CallbackView } from '../lookup/callback-view.js';
import type { RetryPolicy } from '../retry/retry-policy.js';

const soon: RetryPolicy = { kind: 'phases', phases: [{ retries: 3, delayNs: 20_000_000n }] };

describeWithPostgres('dispatcher', () => {
  const store = useOwnStore();
  let receiver: Receiver;
  afterEach(() => receiver.close());
  // Last, so that they are closed first.
  const start = useDispatchers(store);
  const finished = (id: string, state: CallbackState): Promise<CallbackView> =>
    untilState(store.db, id, state);

  it('delivers a callback and keeps its attempt and its lease', async () => {
    receiver = await startReceiver({ kind: 'respond', status: 201, body: 'thanks' });
    const id = await acceptOne(store.db, {
      url: `${receiver.url}/hook?x=1`,
      headers: { 'x-one': 'v' },
      body: Buffer.from('payload'),
    });
    await start();
    const view = await finished(id, 'delivered');
    expect(view.attempts).toMatchObject([
      { statusCode: 201, reason: undefined, responseBody: Buffer.from('thanks') },
    ]);
    expect(view.leases).toMatchObject([{ machine: 'test worker', completedAt: expect.any(Date) }]);
    const [request] = receiver.requests;
    expect(request?.method).toBe('POST');
    expect(request?.path).toBe('/hook?x=1');
    expect(request?.body.toString()).toBe('payload');
    expect(request?.headers).toMatchObject({
      'x-one': 'v',
      'webhook-id': id,
      'posthaste-hops': '1',
      'user-agent': 'Posthaste test',
      'accept-encoding': 'identity',
      traceparent: expect.stringMatching(`^00-${id.replaceAll('-', '')}-[0-9a-f]{16}-01$`),
    });
  });

  it('retries by the policy, with the same webhook-id, and never before its time', async () => {
    receiver = await startReceiver([503, 500, 200]);
    const id = await acceptOne(store.db, { url: receiver.url, policy: soon });
    await start();
    const view = await finished(id, 'delivered');
    expect(view.attempts.map(({ statusCode }) => statusCode)).toEqual([503, 500, 200]);
    expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set([id]),
    );
    const starts = view.attempts.map(({ startedAtMs }) => startedAtMs);
    expect((starts[1] ?? 0) - (starts[0] ?? 0)).toBeGreaterThanOrEqual(20);
  });

  it('fails for good when the policy is used up', async () => {
    receiver = await startReceiver(500);
    const id = await acceptOne(store.db, { url: receiver.url, policy: soon });
    await start();
    const view = await finished(id, 'failed');
    expect(view.attempts).toHaveLength(4);
    expect(view.attempts.at(-1)).toMatchObject({ reason: 'status', statusCode: 500 });
  });

  it('follows no redirect, and records its target', async () => {
    receiver = await startReceiver({ kind: 'redirect', location: 'http://127.0.0.1:1/inside' });
    const id = await acceptOne(store.db, { url: receiver.url });
    await start();
    const [attempt] = (await finished(id, 'failed')).attempts;
    expect(attempt).toMatchObject({ statusCode: 302, reason: 'status' });
    expect(attempt?.detail).toContain('http://127.0.0.1:1/inside');
    expect(receiver.count).toBe(1);
  });

  it('counts a 2xx answer whose body is cut as delivered, and records that it was cut', async () => {
    receiver = await startReceiver({ kind: 'cut-body', status: 200 });
    const id = await acceptOne(store.db, { url: receiver.url });
    await start();
    expect((await finished(id, 'delivered')).attempts).toMatchObject([{ cut: true }]);
  });

  it('keeps the order of a queue through retries', async () => {
    receiver = await startReceiver((_request, index) => (index % 3 === 0 ? 500 : 200));
    const paths = Array.from({ length: 12 }, (_, n) => `/${n}`);
    const ids = await accept(
      store.db,
      ...paths.map((path) => ({ url: receiver.url + path, queue: 'orders', policy: soon })),
    );
    await start();
    for (const id of ids) await finished(id, 'delivered');
    const order = receiver.requests.map(({ path }) => path);
    expect(order.filter((path, i) => path !== order[i - 1])).toEqual(paths);
  });

  it('skips a head that failed for good', async () => {
    receiver = await startReceiver({ paths: { '/bad': 500 }, otherwise: 200 });
    const ids = await accept(
      store.db,
      { url: `${receiver.url}/bad`, queue: 'orders' },
      { url: `${receiver.url}/good`, queue: 'orders' },
    );
    await start();
    await finished(ids[1] ?? '', 'delivered');
    expect((await viewOf(store.db, ids[0] ?? '')).state).toBe('failed');
  });

  it('parks the queue of a head that failed for good when its queue says so', async () => {
    receiver = await startReceiver({ paths: { '/bad': 500 }, otherwise: 200 });
    await store.db.query(
      `insert into callbacks.queue (application, queue, on_failure) values ('', 'orders', 'park')`,
    );
    const ids = await accept(
      store.db,
      { url: `${receiver.url}/bad`, queue: 'orders' },
      { url: `${receiver.url}/good`, queue: 'orders' },
      { url: `${receiver.url}/other` },
    );
    await start();
    await finished(ids[2] ?? '', 'delivered');
    await finished(ids[0] ?? '', 'held');
    expect((await viewOf(store.db, ids[1] ?? '')).state).toBe('waiting');
    expect(receiver.requests.map(({ path }) => path)).not.toContain('/good');
  });

  it('delivers to other hosts while a receiver never answers', async () => {
    receiver = await startReceiver({ kind: 'hang' });
    const quick = await startReceiver(200);
    await accept(
      store.db,
      ...Array.from({ length: 200 }, () => ({ url: receiver.url, timeoutMs: 20_000 })),
    );
    await start();
    await receiver.waitFor(8);
    const id = await acceptOne(store.db, { url: quick.url });
    await finished(id, 'delivered');
    expect(receiver.inFlight).toBeLessThanOrEqual(8);
    await quick.close();
  });

  it('ends a callback that expires before its time, without an attempt', async () => {
    receiver = await startReceiver(200);
    const id = await acceptOne(store.db, {
      url: receiver.url,
      expiresAt: new Date(Date.now() - 1_000),
    });
    await start();
    expect((await finished(id, 'expired')).attempts).toEqual([]);
  });

  it('retries after the longer of Retry-After and the delay of the policy', async () => {
    receiver = await startReceiver([
      { kind: 'respond', status: 503, headers: { 'retry-after': '1' } },
      200,
    ]);
    const id = await acceptOne(store.db, { url: receiver.url, policy: soon });
    await start();
    const { attempts } = await finished(id, 'delivered');
    const [first, second] = attempts;
    expect((second?.startedAtMs ?? 0) - (first?.startedAtMs ?? 0)).toBeGreaterThanOrEqual(1_000);
  });

  it('retries when the suspension of its host ends, and shows when that is', async () => {
    receiver = await startReceiver(200);
    const port = String(await freePort());
    const origin = { max: 32, initial: 8, breakAfter: 2, minOpenMs: 60_000, maxOpenMs: 60_000 };
    const id = await acceptOne(store.db, { url: `http://127.0.0.1:${port}/`, policy: soon });
    await start({ slots: { total: 64, perApplication: 48, origin } });
    const view = await vi.waitFor(async () => {
      const found = await viewOf(store.db, id);
      expect([found.state, found.attempts.length]).toEqual(['pending', 2]);
      return found;
    });
    const [, second] = view.attempts;
    expect(view.dueAt?.getTime()).toBeGreaterThan((second?.startedAtMs ?? 0) + 29_000);
  });

  it("follows the database's clock when its own is wrong by an hour", async () => {
    receiver = await startReceiver([500, 200]);
    const realMs = Date.now();
    const id = await acceptOne(store.db, { url: receiver.url, policy: soon });
    vi.useFakeTimers({ toFake: ['Date'], now: realMs + 3_600_000 });
    try {
      await start();
      await receiver.waitFor(2);
    } finally {
      vi.useRealTimers();
    }
    const { attempts, leases } = await finished(id, 'delivered');
    for (const { startedAtMs } of attempts) expect(startedAtMs - realMs).toBeLessThan(60_000);
    for (const { until } of leases) expect(until.getTime() - realMs).toBeLessThan(60_000);
    for (const { headers } of receiver.requests) {
      expect(Number(headers['webhook-timestamp']) * 1_000 - realMs).toBeLessThan(60_000);
    }
  });

  it('fails a callback to a denied address at once', async () => {
    receiver = await startReceiver(200);
    const id = await acceptOne(store.db, { url: 'http://169.254.169.254/', policy: soon });
    await start();
    const { attempts } = await finished(id, 'failed');
    expect(attempts).toMatchObject([{ statusCode: 0, reason: 'blocked' }]);
  });

  it('fails a callback that can never be sent at once', async () => {
    receiver = await startReceiver(200);
    const url = receiver.url.replace('//', '//user:password@');
    const id = await acceptOne(store.db, { url, policy: soon });
    await start();
    const { attempts } = await finished(id, 'failed');
    expect(attempts).toMatchObject([{ statusCode: 0, reason: 'protocol' }]);
    expect(receiver.count).toBe(0);
  });

  it('retries when an answer was not HTTP', async () => {
    receiver = await startReceiver([{ kind: 'raw', data: 'SSH-2.0-OpenSSH_9.9\r\n' }, 200]);
    const id = await acceptOne(store.db, { url: receiver.url, policy: soon });
    await start();
    const { attempts } = await finished(id, 'delivered');
    expect(attempts).toMatchObject([{ reason: 'protocol' }, { statusCode: 200 }]);
  });

  it('writes one mail with the final failure', async () => {
    receiver = await startReceiver(500);
    const id = await acceptOne(store.db, {
      url: receiver.url,
      policy: soon,
      notificationEmail: 'owner@example.com',
    });
    await start();
    await finished(id, 'failed');
    const { rows } = await store.db.query<{ recipient: string; body: string }>(
      'select recipient, body from callbacks.mail',
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.recipient).toBe('owner@example.com');
    expect(rows[0]?.body).toContain(id);
  });

  it('fails a callback whose secret was removed at once, and sends nothing', async () => {
    receiver = await startReceiver(200);
    const id = await acceptOne(store.db, { url: receiver.url, secret: 'gone', policy: soon });
    const signer = {
      sign: () => {
        throw new PlatformError('SECRET_NOT_FOUND', 'no signing secret gone');
      },
    };
    await start({}, { signer });
    const { attempts } = await finished(id, 'failed');
    expect(attempts).toMatchObject([{ statusCode: 0, reason: 'protocol' }]);
    expect(receiver.count).toBe(0);
  });

  it('retries a callback that it cannot sign for another reason, without counting an attempt', async () => {
    receiver = await startReceiver(200);
    const id = await acceptOne(store.db, { url: receiver.url, secret: 'unreadable' });
    const signer = {
      sign: () => {
        throw new PlatformError('SECRET_UNREADABLE', 'sealed with another key');
      },
    };
    await start({}, { signer });
    await vi.waitFor(async () => {
      const view = await viewOf(store.db, id);
      expect(view).toMatchObject({ state: 'pending', attempts: [] });
      expect(view.leases).toHaveLength(1);
    });
    expect(receiver.count).toBe(0);
  });
});

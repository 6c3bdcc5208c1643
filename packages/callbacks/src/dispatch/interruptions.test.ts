import { type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, expect, it, vi } from 'vitest';
import { settingsOf } from '../../test/deliveries.js';
import { untilState, useDispatchers, viewOf } from '../../test/delivering.js';
import { accept, acceptOne, claim } from '../../test/live-callbacks.js';
import { useOwnStore } from '../../test/test-store.js';
import { cancelCallback } from '../actions/callback-actions.js';
import type { CallbackState } from '../delivery/delivery.js';
import type { CallbackView } from '../lookup/callback-view.js';
import type { RetryPolicy } from '../retry/retry-policy.js';
import type { EndpointDirectory } from './admission.js';

const soon: RetryPolicy = { kind: 'phases', phases: [{ retries: 3, delayNs: 20_000_000n }] };

describeWithPostgres('a dispatcher that is interrupted', () => {
  const store = useOwnStore();
  let receiver: Receiver;
  afterEach(() => receiver.close());
  // Last, so that they are closed first.
  const start = useDispatchers(store);
  const finished = (id: string, state: CallbackState): Promise<CallbackView> =>
    untilState(store.db, id, state);

  it('sends again when a worker stopped without releasing its lease, and records an unknown outcome', async () => {
    receiver = await startReceiver(200);
    const id = await acceptOne(store.db, { url: receiver.url });
    await claim(store.db, 1, 300);
    const { seen } = await start();
    const view = await finished(id, 'delivered');
    expect(view.attempts).toMatchObject([
      { statusCode: 0, reason: 'unknown' },
      { statusCode: 200 },
    ]);
    expect(view.leases.map(({ completedAt }) => completedAt !== undefined)).toEqual([false, true]);
    expect(seen.leasesExpired).toBe(1);
  });

  it('drops the result of a lease that was lost, and reports it', async () => {
    receiver = await startReceiver((_request, index) =>
      index === 0 ? { kind: 'respond', status: 500, delayMs: 600 } : 200,
    );
    const id = await acceptOne(store.db, { url: receiver.url, policy: soon, timeoutMs: 5_000 });
    const slow = await start();
    await receiver.waitFor(1);
    // As if the worker had been stopped beyond its lease, and another one had taken over.
    await store.db.query(`update callbacks.head set due_at = now() where callback_id = $1`, [id]);
    const view = await finished(id, 'delivered');
    await vi.waitFor(() => expect(slow.seen.leasesLost).toBe(1), { timeout: 5_000 });
    expect((await viewOf(store.db, id)).attempts).toHaveLength(view.attempts.length);
    expect(view.attempts.map(({ reason }) => reason)).toEqual(['unknown', undefined]);
  });

  it('does not send a callback again that was cancelled under a lease that then expired', async () => {
    receiver = await startReceiver(200);
    const [first, second] = await accept(
      store.db,
      { url: `${receiver.url}/1`, queue: 'orders' },
      { url: `${receiver.url}/2`, queue: 'orders' },
    );
    await claim(store.db, 1, 300);
    expect(await cancelCallback(store.db, first ?? '', 'all')).toBe('cancelling');
    await start();
    await finished(second ?? '', 'delivered');
    expect((await viewOf(store.db, first ?? '')).state).toBe('cancelled');
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/2']);
  });

  it('gives up on a callback after too many attempts of unknown outcome', async () => {
    receiver = await startReceiver(200);
    const id = await acceptOne(store.db, { url: receiver.url });
    await store.db.query(`update callbacks.head set unknowns = 3 where callback_id = $1`, [id]);
    await start();
    await finished(id, 'failed');
    expect(receiver.count).toBe(0);
  });

  it('finishes attempts in flight when it is closed, and claims nothing new', async () => {
    receiver = await startReceiver({ kind: 'respond', status: 200, delayMs: 300 });
    const [first, second] = await accept(
      store.db,
      { url: receiver.url, queue: 'orders' },
      { url: receiver.url, queue: 'orders' },
    );
    const { dispatcher } = await start();
    await receiver.waitFor(1);
    await dispatcher.close(5_000);
    expect((await viewOf(store.db, first ?? '')).state).toBe('delivered');
    expect((await viewOf(store.db, second ?? '')).state).toBe('pending');
    expect(receiver.count).toBe(1);
  });

  it('releases, when it is closed, the next callback of a queue', async () => {
    receiver = await startReceiver(200);
    const endpointId = crypto.randomUUID();
    const [first = '', second = ''] = await accept(
      store.db,
      { url: receiver.url, queue: 'orders', endpointId },
      { url: receiver.url, queue: 'orders', endpointId },
    );
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    let questions = 0;
    const endpoints: EndpointDirectory = {
      settings: async (ids) => {
        questions += 1;
        if (questions === 2) asked.resolve();
        if (questions >= 2) await answer.promise;
        return new Map(ids.map((id) => [id, settingsOf()]));
      },
      forget: () => undefined,
    };
    const { dispatcher } = await start({}, { endpoints });
    await asked.promise;
    const closed = dispatcher.close(5_000);
    setTimeout(() => answer.resolve(), 100);
    await closed;
    expect((await viewOf(store.db, first)).state).toBe('delivered');
    expect((await viewOf(store.db, second)).state).toBe('pending');
    expect(receiver.count).toBe(1);
  });

  it('continues when the database can be reached again', async () => {
    receiver = await startReceiver({ kind: 'respond', status: 200, delayMs: 200 });
    const ids = await accept(
      store.db,
      ...Array.from({ length: 30 }, (_, n) => ({ url: receiver.url, queue: `q${n % 3}` })),
    );
    await start();
    await receiver.waitFor(3);
    await store.db
      .query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()`,
      )
      .catch(() => undefined);
    for (const id of ids) await finished(id, 'delivered');
  });
});

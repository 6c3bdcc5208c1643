import { type Receiver, type ReceiverScript, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, expect, it, vi } from 'vitest';
import { untilState, useDispatchers, viewOf } from '../../test/delivering.js';
import { accept, type TestCallback } from '../../test/live-callbacks.js';
import { useOwnStore } from '../../test/test-store.js';
import type { RetryPolicy } from '../retry/retry-policy.js';

const policy: RetryPolicy = { kind: 'phases', phases: [{ retries: 9, delayNs: 20_000_000n }] };
const limited = { kind: 'respond', status: 429, headers: { 'retry-after': '20' } } as const;

describeWithPostgres('trouble of one receiver', () => {
  const store = useOwnStore();
  let receiver: Receiver;
  afterEach(() => receiver.close());
  // Last, so that they are closed first.
  const start = useDispatchers(store);

  const openReceiver = async (paths: Extract<ReceiverScript, { paths: unknown }>['paths']) => {
    receiver = await startReceiver({ paths, otherwise: 200 });
  };
  const send = (count: number, path: string, callback: TestCallback) =>
    accept(
      store.db,
      ...Array.from({ length: count }, (_, n) => ({
        url: `${receiver.url}${path}?n=${n}`,
        policy,
        ...callback,
      })),
    );
  const allDelivered = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) await untilState(store.db, id, 'delivered');
  };
  const attemptsAt = (path: string): number =>
    receiver.requests.filter((request) => request.path.startsWith(path)).length;

  it.each([429, 503])(
    'that answers %i with Retry-After holds back nothing else',
    async (status) => {
      await openReceiver({ '/limited': { ...limited, status } });
      const told = await send(3, '/limited', { application: 'a' });
      await start();
      await vi.waitFor(() => expect(attemptsAt('/limited')).toBeGreaterThan(0));
      await allDelivered([
        ...(await send(10, '/ok', { application: 'b' })),
        ...(await send(10, '/ok', { application: 'a' })),
        ...(await send(10, '/ok', { application: 'a', queue: 'orders' })),
      ]);
      for (const id of told) expect((await viewOf(store.db, id)).state).toBe('pending');
      // The first claim may have brought all three at the same time.
      expect(attemptsAt('/limited')).toBeLessThanOrEqual(3);
    },
  );

  it('that hangs holds back nothing else', async () => {
    await openReceiver({ '/hang': { kind: 'hang' } });
    await send(30, '/hang', { application: 'a', timeoutMs: 1_000 });
    await start();
    await receiver.waitFor(8);
    await allDelivered(await send(10, '/ok', { application: 'b' }));
    await allDelivered(await send(10, '/ok', { application: 'a' }));
  });

  it('takes its callbacks out of the index of what is ready, until the pause ends', async () => {
    await openReceiver({ '/limited': [{ ...limited, headers: { 'retry-after': '3' } }, 200] });
    const [first = ''] = await send(1, '/limited', { application: 'a' });
    await start();
    await vi.waitFor(async () => expect((await viewOf(store.db, first)).attempts).toHaveLength(1));
    const later = await send(40, '/limited', { application: 'a' });
    await vi.waitFor(async () => {
      const { rows } = await store.db.query<{ ready: string; leased: string }>(
        `select count(*) filter (where ready) as ready, count(lease_token) as leased from callbacks.head`,
      );
      expect(rows.map(({ ready, leased }) => [Number(ready), Number(leased)])).toEqual([[0, 0]]);
    });
    const [view] = await Promise.all(later.map((id) => viewOf(store.db, id)));
    expect(view?.state).toBe('pending');
    expect(attemptsAt('/limited')).toBe(1);
    await allDelivered([first, ...later]);
    // Each was claimed once to be postponed, and not again and again.
    const views = await Promise.all(later.map((id) => viewOf(store.db, id)));
    for (const { leases } of views) expect(leases.length).toBeLessThanOrEqual(4);
  });
});

import { type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { settingsOf } from '../../test/deliveries.js';
import { useDispatchers } from '../../test/delivering.js';
import { accept, acceptOne, claim } from '../../test/live-callbacks.js';
import { useOwnStore } from '../../test/test-store.js';
import { findCallback } from '../lookup/read-store.js';
import { pauseQueue } from '../queues/queue-control.js';
import type { EndpointDirectory } from './admission.js';

/** So long that everything that only a poll finds is late. */
const pollMs = 20_000;
const inTime = { timeout: 5_000, interval: 20 };

describeWithPostgres('deliveries do not stall', () => {
  const store = useOwnStore();
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = await startReceiver(200);
  });
  afterEach(() => receiver.close());
  // Last, so that they are closed first.
  const start = useDispatchers(store);

  it('while another host is suspended', async () => {
    const suspended = await startReceiver({
      kind: 'respond',
      status: 503,
      headers: { 'retry-after': '30' },
    });
    const slots = {
      total: 64,
      perApplication: 48,
      origin: { max: 2, initial: 2, breakAfter: 20, minOpenMs: 200, maxOpenMs: 1_000 },
    };
    await start({ pollMs, slots });
    await acceptOne(store.db, { url: suspended.url });
    await store.db.query(`select pg_notify('callbacks_due', '')`);
    await suspended.waitFor(1);
    await accept(store.db, ...Array.from({ length: 60 }, () => ({ url: receiver.url })));
    await store.db.query(`select pg_notify('callbacks_due', '')`);
    await vi.waitFor(() => expect(receiver.count).toBe(60), inTime);
    await suspended.close();
  });

  it('when a lease ends before its queue is empty', async () => {
    const queued = Array.from({ length: 30 }, () => ({ url: receiver.url, queue: 'orders' }));
    await accept(store.db, ...queued);
    await start({ pollMs, maxPerLease: 3, recordWindowMs: 20 });
    await vi.waitFor(() => expect(receiver.count).toBe(30), inTime);
  });

  it('when the time-out of callbacks is longer than leases are by now', async () => {
    const id = await acceptOne(store.db, { url: receiver.url, timeoutMs: 20_000 });
    await start({ leaseMs: 5_000 });
    await receiver.waitFor(1);
    await vi.waitFor(
      async () => expect((await findCallback(store.db, id, 'all'))?.state).toBe('delivered'),
      inTime,
    );
    expect((await findCallback(store.db, id, 'all'))?.leases).toHaveLength(1);
  });

  it('when the endpoints cannot be read: claimed callbacks are released', async () => {
    const id = await acceptOne(store.db, { url: receiver.url, endpointId: crypto.randomUUID() });
    let asked = 0;
    const endpoints: EndpointDirectory = {
      settings: async (ids) => {
        asked += 1;
        if (asked === 1) throw new Error('away');
        return new Map(ids.map((endpointId) => [endpointId, settingsOf()]));
      },
      forget: () => undefined,
    };
    await start({}, { endpoints });
    await receiver.waitFor(1);
    await vi.waitFor(
      async () => expect((await findCallback(store.db, id, 'all'))?.state).toBe('delivered'),
      inTime,
    );
    expect((await findCallback(store.db, id, 'all'))?.attempts).toHaveLength(1);
  });

  it('but a queue that was paused under a lease that then expired stays paused', async () => {
    const id = await acceptOne(store.db, { url: receiver.url, queue: 'orders' });
    await claim(store.db, 1, 200);
    await pauseQueue(store.db, { application: '', queue: 'orders' });
    const { seen } = await start();
    await vi.waitFor(() => expect(seen.leasesExpired).toBe(1), inTime);
    await vi.waitFor(
      async () =>
        expect(await findCallback(store.db, id, 'all')).toMatchObject({
          state: 'held',
          hold: 'paused',
        }),
      inTime,
    );
    expect(receiver.count).toBe(0);
  });
});

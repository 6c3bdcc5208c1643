import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { accept } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import type { Delivery } from '../delivery/delivery.js';
import { recordResults } from '../results/result-store.js';
import { claimDeliveries } from './claim-store.js';
import { type Promotion, promoteDue } from './due-store.js';

describeWithPostgres('a promotion of due callbacks', () => {
  const store = useEmptiedStore();
  /** Claims everything, with leases that expire at once. */
  const claimBriefly = async (): Promise<readonly Delivery[]> => {
    const { deliveries } = await claimDeliveries(store.db, {
      ...{ holder: 'test worker', leaseToken: randomUUID(), leaseMs: 0, limit: 100, afterKey: '' },
      ...{ origins: new Map(), applications: new Map(), fairnessKeys: new Map() },
      ...{ originDefault: 100, applicationDefault: 100, fairnessKeyDefault: 100 },
    });
    return deliveries;
  };
  /** Promotes, with a pause between the snapshot and the lock of the second row. */
  const promoteSlowly = async (): Promise<Promotion> => {
    await store.db.query(`create view callbacks.slow_queue as
      select application, queue, pg_sleep(0.3) is null as paused from callbacks.head`);
    return promoteDue(
      {
        query: (statement, values) => {
          const text = typeof statement === 'string' ? statement : statement.text;
          return store.db.query(
            text.replace('callbacks.queue q', 'callbacks.slow_queue q'),
            values,
          );
        },
      },
      10,
    );
  };

  it('ends no lease whose row has become that of another callback meanwhile', async () => {
    const request = { url: 'http://host/', application: 'a' };
    await accept(store.db, { ...request, queue: 'first' });
    await claimBriefly();
    await accept(store.db, { ...request, queue: 'second' }, { ...request, queue: 'second' });
    const held = await claimBriefly();
    const promotion = promoteSlowly();
    await sleep(300);
    // Like a worker that was paused: its transaction began long before its lease expired.
    const verdict = { kind: 'ended', ending: 'delivered' } as const;
    const results = held.map((delivery) => ({
      delivery,
      verdict,
      attempt: undefined,
      keepLease: true,
    }));
    expect(await recordResults(store.db, results, -60_000)).toHaveLength(1);
    expect(await promotion).toMatchObject({ promoted: 1, expiredLeases: 1 });
    expect(await promoteDue(store.db, 10)).toMatchObject({ promoted: 1, expiredLeases: 1 });
    expect(await promoteDue(store.db, 10)).toMatchObject({ promoted: 0 });
  });
});

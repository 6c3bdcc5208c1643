import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it, vi } from 'vitest';
import { acceptOne, claim } from '../../test/live-callbacks.js';
import { type StoreOfTest, useOwnStore } from '../../test/test-store.js';
import { DuePoller } from './due-poller.js';

describeWithPostgres('waker', () => {
  const store = useOwnStore();

  it('lets results go first once the database is back, before it takes leases for lost', async () => {
    await acceptOne(store.db);
    let away = false;
    let backAtMs = 0;
    const lostAtMs: number[] = [];
    const onError = vi.fn();
    const query: StoreOfTest['db']['query'] = (statement, values) =>
      away ? Promise.reject(new Error('away')) : store.db.query(statement, values);
    const ping = async (): Promise<void> => {
      await query('select 1');
      backAtMs = performance.now();
    };
    const waker = new DuePoller(
      { ...store.db, query, ping },
      {
        pollMs: 20,
        onPoll: ({ lost }) => {
          if (lost > 0) lostAtMs.push(performance.now());
        },
        onError,
      },
    );
    await waker.start();
    await claim(store.db, 1, 100);
    away = true;
    await vi.waitFor(() => expect(onError).toHaveBeenCalled());
    away = false;
    await vi.waitFor(() => expect(backAtMs).toBeGreaterThan(0), { timeout: 3_000 });
    waker.within(0);
    await vi.waitFor(() => expect(lostAtMs).toHaveLength(1), { timeout: 5_000 });
    expect((lostAtMs[0] ?? 0) - backAtMs).toBeGreaterThanOrEqual(1_990);
    waker.close();
  });
});

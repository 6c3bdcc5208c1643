import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it, vi } from 'vitest';
import { acceptOne, claim } from '../../test/live-callbacks.js';
import { type StoreOfTest, useOwnStore } from '../../test/test-store.js';
import { DuePoller } from './due-poller.js';

describeWithPostgres('due poller', () => {
  const store = useOwnStore();

  it('ends no leases for a while after the database is back, so that results come first', async () => {
    await acceptOne(store.db);
    let down = false;
    let backAtMs = 0;
    const expiredAtMs: number[] = [];
    const onError = vi.fn();
    const query: StoreOfTest['db']['query'] = (statement, values) =>
      down ? Promise.reject(new Error('the database is down')) : store.db.query(statement, values);
    const ping = async (): Promise<void> => {
      await query('select 1');
      backAtMs = performance.now();
    };
    const poller = new DuePoller(
      { ...store.db, query, ping },
      {
        pollMs: 20,
        onPoll: ({ expiredLeases }) => {
          if (expiredLeases > 0) expiredAtMs.push(performance.now());
        },
        onError,
      },
    );
    await poller.start();
    await claim(store.db, 1, 500);
    down = true;
    await vi.waitFor(() => expect(onError).toHaveBeenCalled());
    down = false;
    await vi.waitFor(() => expect(backAtMs).toBeGreaterThan(0), { timeout: 3_000 });
    poller.pollWithin(0);
    await vi.waitFor(() => expect(expiredAtMs).toHaveLength(1), { timeout: 5_000 });
    expect((expiredAtMs[0] ?? 0) - backAtMs).toBeGreaterThanOrEqual(1_990);
    poller.close();
  });
});

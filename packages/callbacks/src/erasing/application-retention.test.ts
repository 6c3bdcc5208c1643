import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { accept, acceptOne, work } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { findCallback } from '../lookup/read-store.js';
import { dropExpiredOf } from './application-retention.js';

const hourMs = 3_600_000;
const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * hourMs);

describeWithPostgres('the retention of one application', () => {
  const store = useEmptiedStore();

  const drop = async (application: string): Promise<number> => {
    let after: string | undefined;
    let removed = 0;
    do {
      const slice = { application, retentionMs: 24 * hourMs, after, limit: 3 };
      const outcome = await dropExpiredOf(store.db, slice);
      removed += outcome.removed;
      after = outcome.next;
    } while (after !== undefined);
    return removed;
  };

  it('removes its finished callbacks that are old enough, in slices, and no others', async () => {
    const old = Array.from({ length: 7 }, () => ({ application: 'a', acceptedAt: hoursAgo(25) }));
    await accept(store.db, ...old);
    const young = await acceptOne(store.db, { application: 'a', acceptedAt: hoursAgo(23) });
    const other = await acceptOne(store.db, { application: 'b', acceptedAt: hoursAgo(25) });
    await work(store.db);
    const alive = await accept(store.db, ...old.slice(0, 4));
    expect(await drop('a')).toBe(7);
    for (const id of [young, other, ...alive]) {
      expect(await findCallback(store.db, id, 'all')).toBeDefined();
    }
    expect(await drop('a')).toBe(0);
    await work(store.db);
    expect(await drop('a')).toBe(4);
  });
});

import { idLowerBound } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import {
  accept,
  acceptOne,
  aroundTransactions,
  findFaults,
  type TestCallback,
  work,
} from '../../test/live-callbacks.js';
import { type StoreOfTest, useOwnStore } from '../../test/test-store.js';
import { replayCallback } from '../actions/callback-actions.js';
import { storeCallbacks } from '../intake/intake-store.js';
import { findCallback, listCallbacks } from '../lookup/read-store.js';
import { toCallbackRequest } from '../request/request.js';
import { ensurePartitions } from './partitions.js';
import { dropExpired, forgetIdempotencyKeys } from './retention.js';

const dayMs = 86_400_000;
const daysAgo = (days: number): Date => new Date(Date.now() - days * dayMs);
const nameOf = (moment: Date): string => moment.toISOString().slice(0, 10).replaceAll('-', '');

/** Creates the partitions of a past day, as ensurePartitions does in advance. */
async function makePastDay({ db }: StoreOfTest, moment: Date): Promise<void> {
  const start = moment.getTime() - (moment.getTime() % dayMs);
  for (const table of ['request', 'history']) {
    await db.query(
      `create table callbacks.${table}_${nameOf(moment)} partition of callbacks.${table}
       for values from ('${idLowerBound(new Date(start))}') to ('${idLowerBound(new Date(start + dayMs))}')`,
    );
  }
}

describeWithPostgres('retention', () => {
  const store = useOwnStore();
  const old = (days: number, more: TestCallback = {}): Promise<string> =>
    acceptOne(store.db, { acceptedAt: daysAgo(days), ...more });

  it('drops whole days that are past their retention, and no others', async () => {
    for (const days of [9, 8, 7]) await makePastDay(store, daysAgo(days));
    await ensurePartitions(store.db, { daysAhead: 0 });
    const ids = [await old(9), await old(8), await old(7), await old(0)];
    await work(store.db);
    expect(await dropExpired(store.db, { retentionDays: 7 })).toEqual({
      days: [9, 8].map((days) => ({ day: nameOf(daysAgo(days)), kind: 'dropped' })),
      deleted: 0,
      more: false,
    });
    const { items } = await listCallbacks(store.db, { within: 'all' }, {});
    expect(items.map(({ id }) => id)).toEqual([ids[3], ids[2]]);
    expect(await findCallback(store.db, ids[0] ?? '', 'all')).toBeUndefined();
    expect(await dropExpired(store.db, { retentionDays: 7 })).toMatchObject({ days: [] });
  });

  it('keeps a day until none of its callbacks is alive', async () => {
    await makePastDay(store, daysAgo(30));
    const done = await old(30);
    await work(store.db);
    const head = await old(30, { queue: 'orders', deliverAfter: new Date(Date.now() + dayMs) });
    const kept = { days: [{ kind: 'alive' }] };
    expect(await dropExpired(store.db, { retentionDays: 7 })).toMatchObject(kept);
    await store.db.query('update callbacks.head set ready = true');
    await work(store.db);
    await acceptOne(store.db, { queue: 'orders' });
    await replayCallback(store.db, done, 'all');
    await replayCallback(store.db, head, 'all');
    expect(await findCallback(store.db, head, 'all')).toMatchObject({ state: 'waiting' });
    expect(await dropExpired(store.db, { retentionDays: 7 })).toMatchObject(kept);
    await work(store.db);
    expect(await dropExpired(store.db, { retentionDays: 7 })).toMatchObject({
      days: [{ kind: 'dropped' }],
    });
  });

  it('deletes from the default partitions in batches, except callbacks that are alive', async () => {
    const waiting = await old(30, { deliverAfter: new Date(Date.now() + dayMs) });
    for (let i = 0; i < 5; i++) await old(30 - i);
    const young = await acceptOne(store.db);
    await work(store.db);
    const sweep = (): Promise<unknown> => dropExpired(store.db, { retentionDays: 7, maxRows: 3 });
    expect(await sweep()).toMatchObject({ deleted: 3, more: true });
    expect(await sweep()).toMatchObject({ deleted: 2, more: false });
    expect(await sweep()).toMatchObject({ deleted: 0 });
    const { items } = await listCallbacks(store.db, { within: 'all' }, {});
    expect(items.map(({ id }) => id)).toEqual([young, waiting]);
    const { rows } = await store.db.query('select callback_id from callbacks.history');
    expect(rows).toEqual([{ callback_id: young }]);
  });

  it('deletes old Idempotency-Keys in batches', async () => {
    const request = toCallbackRequest(
      { url: 'http://example.com' },
      { defaultTimeoutMs: 1_000, maxTimeoutMs: 1_000, urlFault: () => undefined },
    );
    const items = Array.from({ length: 5 }, (_, i) => ({
      id: crypto.randomUUID(),
      request,
      idempotency: { key: `key ${i}`, bodyHash: Buffer.from('hash') },
    }));
    await storeCallbacks(store.db, items, false);
    await store.db.query(
      `update callbacks.idempotency set created_at = now() - interval '25 hours' where key <> 'key 4'`,
    );
    const forget = (): Promise<number> =>
      forgetIdempotencyKeys(store.db, { retentionHours: 24, maxRows: 3 });
    expect([await forget(), await forget(), await forget()]).toEqual([3, 1, 0]);
  });

  it('refuses an invalid retention', async () => {
    for (const retentionDays of [0, -1, 0.5, Number.NaN]) {
      await expect(dropExpired(store.db, { retentionDays })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    }
  });

  it('keeps a day while one of its callbacks is being replayed', async () => {
    await makePastDay(store, daysAgo(30));
    const id = await acceptOne(store.db, { acceptedAt: daysAgo(30) });
    await work(store.db);
    await store.db.transaction(async (tx) => {
      // The lock that a replay has until its commit.
      await tx.query('select from callbacks.request where id = $1 for no key update', [id]);
      const during = await dropExpired(store.db, { retentionDays: 7 });
      expect(during).toMatchObject({ days: [{ kind: 'busy' }] });
    });
    await replayCallback(store.db, id, 'all');
    expect(await dropExpired(store.db, { retentionDays: 7 })).toMatchObject({
      days: [{ kind: 'alive' }],
    });
  });

  it('either drops or replays a callback, never both', async () => {
    for (let round = 0; round < 6; round++) {
      const moment = daysAgo(30 + round);
      await makePastDay(store, moment);
      const ids = await accept(
        store.db,
        ...Array.from({ length: 4 }, (_, i) => ({
          acceptedAt: new Date(moment.getTime() + i),
          queue: i % 2 === 0 ? 'orders' : undefined,
        })),
      );
      await work(store.db);
      const replays = ids.map((id) => replayCallback(store.db, id, 'all').catch(() => undefined));
      await Promise.all([dropExpired(store.db, { retentionDays: 7 }), ...replays]);
      expect(await findFaults(store.db)).toEqual([]);
      // A head without its request could never be claimed.
      const { rows } = await store.db.query(
        `select from callbacks.head h where not exists
             (select from callbacks.request r where r.id = h.callback_id)`,
      );
      expect(rows).toEqual([]);
      await work(store.db);
    }
  });

  it('drops while workers deliver', async () => {
    for (const days of [20, 19, 18, 17]) await makePastDay(store, daysAgo(days));
    for (const days of [20, 19, 18, 17]) await acceptOne(store.db, { acceptedAt: daysAgo(days) });
    await work(store.db);
    await ensurePartitions(store.db, { daysAhead: 1 });
    let open = true;
    const intake = async (): Promise<void> => {
      while (open) await accept(store.db, {}, { queue: 'orders' });
    };
    const worker = async (): Promise<void> => {
      while (open) await work(store.db);
    };
    const tasks = [intake(), worker(), worker()];
    let left = 4;
    for (let tries = 0; left > 0 && tries < 20; tries++) {
      const { days } = await dropExpired(store.db, { retentionDays: 7 });
      left -= days.filter(({ kind }) => kind === 'dropped').length;
    }
    open = false;
    await Promise.all(tasks);
    expect(left).toBe(0);
  });

  it('reads only callbacks that are alive, by index', async () => {
    await makePastDay(store, daysAgo(30));
    const asked: [string, readonly unknown[]][] = [];
    const watched = aroundTransactions(store.db, (tx, work) =>
      work({
        query: (statement, values = []) => {
          if (typeof statement === 'string') asked.push([statement, values]);
          return tx.query(statement, values);
        },
      }),
    );
    await dropExpired(watched, { retentionDays: 7 });
    const reads = asked.filter(([text]) => text.startsWith('select exists'));
    expect(reads).toHaveLength(2);
    for (const [text, values] of reads) {
      const { rows } = await store.db.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(/head_pkey/);
      expect(plan).toMatch(/waiting_callback/);
      expect(plan).not.toMatch(/Seq Scan|history|request/);
    }
  });
});

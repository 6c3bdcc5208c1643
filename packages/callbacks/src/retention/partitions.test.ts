import { idTime } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { accept, acceptOne, aroundTransactions, work } from '../../test/live-callbacks.js';
import { useOwnStore } from '../../test/test-store.js';
import { findCallback } from '../lookup/read-store.js';
import { ensurePartitions } from './partitions.js';

const dayMs = 86_400_000;
const daysFromNow = (days: number): Date => new Date(Date.now() + days * dayMs);
const nameOf = (moment: Date): string => moment.toISOString().slice(0, 10).replaceAll('-', '');

/** Finds the partitions that have these callbacks. */
async function tablesOf(db: Database, ...ids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select tableoid::regclass::text as name from callbacks.request where id = any($1::uuid[])
     union select tableoid::regclass::text from callbacks.history where callback_id = any($1::uuid[])
     order by 1`,
    [ids],
  );
  return rows.map(({ name }) => name.replace('callbacks.', ''));
}

async function constraintsOf(db: Database, table: string): Promise<string[]> {
  const { rows } = await db.query<{ conname: string }>(
    `select conname from pg_constraint where conrelid = $1::regclass and conname like 'not\\_%'`,
    [`callbacks.${table}`],
  );
  return rows.map(({ conname }) => conname);
}

describeWithPostgres('partitions', () => {
  const store = useOwnStore();

  it('creates the missing days of both tables once', async () => {
    const made = await ensurePartitions(store.db, { daysAhead: 2 });
    expect(made).toEqual(
      [0, 1, 2].map((days) => ({ day: nameOf(daysFromNow(days)), kind: 'created' })),
    );
    expect(await ensurePartitions(store.db, { daysAhead: 2 })).toEqual([]);
    expect(await ensurePartitions(store.db, { daysAhead: 3 })).toHaveLength(1);
    const today = await acceptOne(store.db);
    const tomorrow = await acceptOne(store.db, { acceptedAt: daysFromNow(1) });
    await work(store.db);
    expect(await tablesOf(store.db, today)).toEqual(
      ['history', 'request'].map((table) => `${table}_${nameOf(idTime(today))}`),
    );
    expect(await tablesOf(store.db, tomorrow)).toEqual(
      ['history', 'request'].map((table) => `${table}_${nameOf(idTime(tomorrow))}`),
    );
  });

  it('gives the partitions the indexes and checks of their parents', async () => {
    await ensurePartitions(store.db, { daysAhead: 0 });
    const { rows } = await store.db.query<{ parent: string; same: boolean }>(
      `select p.relname as parent,
         (select count(*) from pg_index where indrelid = p.oid)
           = (select count(*) from pg_index where indrelid = c.oid) as same
       from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
       where p.relname in ('request', 'history') order by 1`,
    );
    expect(rows.map(({ same }) => same)).toEqual([true, true, true, true]);
    const { rows: checks } = await store.db.query(
      `select from pg_constraint where contype = 'c'
       and conrelid = ('callbacks.history_' || $1)::regclass`,
      [nameOf(new Date())],
    );
    expect(checks).toHaveLength(1);
  });

  it('skips a day that has rows in the default partition', async () => {
    const ids = [
      await acceptOne(store.db),
      await acceptOne(store.db, { acceptedAt: daysFromNow(2) }),
    ];
    const made = await ensurePartitions(store.db, { daysAhead: 3 });
    expect(made.map(({ kind }) => kind)).toEqual(['skipped', 'created', 'skipped', 'created']);
    await work(store.db);
    expect(await tablesOf(store.db, ...ids)).toEqual(['history_default', 'request_default']);
    for (const table of ['request_default', 'history_default']) {
      expect(await constraintsOf(store.db, table)).toEqual([]);
    }
    const [, created] = await accept(store.db, {}, { acceptedAt: daysFromNow(1) });
    expect(await tablesOf(store.db, created ?? '')).toHaveLength(1);
    expect(await findCallback(store.db, created ?? '', 'all')).toMatchObject({ state: 'pending' });
  });

  it('completes the work of a run that was killed between its steps', async () => {
    await acceptOne(store.db);
    await ensurePartitions(store.db, { daysAhead: 0 });
    const tomorrow = nameOf(daysFromNow(1));
    await store.db.query(
      `alter table callbacks.request_default add constraint not_${tomorrow} check (true) not valid`,
    );
    expect(await ensurePartitions(store.db, { daysAhead: 1 })).toMatchObject([
      { kind: 'skipped' },
      { day: tomorrow, kind: 'created' },
    ]);
    expect(await constraintsOf(store.db, 'request_default')).toEqual([]);
  });

  it('refuses days out of range', async () => {
    for (const daysAhead of [-1, 0.5, 367]) {
      await expect(ensurePartitions(store.db, { daysAhead })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    }
  });

  it('creates each day once when several processes start together', async () => {
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => ensurePartitions(store.db, { daysAhead: 5 })),
    );
    const created = runs.flat().filter(({ kind }) => kind === 'created');
    expect(new Set(created.map(({ day }) => day)).size).toBe(created.length);
    expect(runs.flat().every(({ kind }) => kind !== 'busy')).toBe(true);
    expect(await ensurePartitions(store.db, { daysAhead: 5 })).toEqual([]);
  });

  it('creates days while callbacks are accepted and delivered', async () => {
    let open = true;
    let taken = 0;
    const intake = async (): Promise<void> => {
      for (; open; taken += 2) await accept(store.db, {}, { acceptedAt: daysFromNow(2) });
    };
    const worker = async (): Promise<void> => {
      while (open) await work(store.db);
    };
    const tasks = [intake(), intake(), worker(), worker()];
    for (let i = 0; i < 10; i++) await ensurePartitions(store.db, { daysAhead: i });
    open = false;
    await Promise.all(tasks);
    await work(store.db);
    const { rows } = await store.db.query<{ ended: number }>(
      'select count(*)::int as ended from callbacks.history where ending is not null',
    );
    expect(rows).toEqual([{ ended: taken }]);
  });

  it('gives up soon when a long transaction reads the default partition', async () => {
    await store.db.transaction(async (tx) => {
      await tx.query('select count(*) from callbacks.request');
      const made = await ensurePartitions(store.db, { daysAhead: 0 });
      expect(made).toMatchObject([{ kind: 'busy' }]);
      // Nothing waits behind it any more.
      await acceptOne(store.db);
    });
  });

  it('does not scan a non-empty default partition while it is locked', async () => {
    for (let i = 0; i < 4; i++) {
      await accept(store.db, ...Array.from({ length: 500 }, () => ({})));
    }
    await store.db.query('analyze callbacks.request_default');
    const read: number[] = [];
    const rowsRead = async (tx: Transaction): Promise<number> => {
      const { rows } = await tx.query<{ rows: number }>(
        `select seq_tup_read::int as rows from pg_stat_xact_user_tables
         where relname = 'request_default'`,
      );
      return rows[0]?.rows ?? 0;
    };
    const watched = aroundTransactions(store.db, async (tx, work) => {
      const before = await rowsRead(tx);
      const result = await work(tx);
      read.push((await rowsRead(tx)) - before);
      return result;
    });
    expect(await ensurePartitions(watched, { daysAhead: 1 })).toMatchObject([
      { kind: 'skipped' },
      { kind: 'created' },
    ]);
    expect(read).toEqual([0, 0]);
  });
});

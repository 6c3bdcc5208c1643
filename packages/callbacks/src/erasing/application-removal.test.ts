import type { ErasingProgress, ErasingStep } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { accept, acceptOne, claim, delivered, record, work } from '../../test/live-callbacks.js';
import { type StoreOfTest, useEmptiedStore } from '../../test/test-store.js';
import { lockHeads, recordResults } from '../results/result-store.js';
import { removeCallbacks, removeSettings, removeWaiting } from './application-removal.js';
import { allowDeliveries, awaitClaims, stopDeliveries } from './delivery-stop.js';

type Step = (tx: Transaction, application: string, step: ErasingStep) => Promise<ErasingProgress>;

/** Runs all steps of a stage; returns the number that was erased. */
async function run({ db }: StoreOfTest, stage: Step, application: string): Promise<number> {
  let erased = 0;
  let position: string | undefined;
  for (let steps = 0; steps < 200; steps += 1) {
    const from = position;
    const progress = await db.transaction((tx) =>
      stage(tx, application, { position: from, limit: 7 }),
    );
    erased += progress.erased;
    position = progress.position;
    if (progress.done) return erased;
  }
  throw new Error('the stage does not end');
}

async function countOf({ db }: StoreOfTest, application: string): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    `select (select count(*) from callbacks.head where application = $1)
       + (select count(*) from callbacks.waiting where application = $1)
       + (select count(*) from callbacks.request where application = $1)
       + (select count(*) from callbacks.history y join callbacks.request r on r.id = y.callback_id
          where r.application = $1) as n`,
    [application],
  );
  return Number(rows[0]?.n);
}

function removalOn(engine: 'postgres' | 'embedded'): void {
  const store = useEmptiedStore(engine);

  it('sends nothing of a stopped application, and everything of others', async () => {
    await accept(store.db, { application: 'gone' }, { application: 'gone', queue: 'q' });
    const other = await acceptOne(store.db, { application: 'stays' });
    await stopDeliveries(store.db, 'gone');
    await awaitClaims(store.db);
    expect((await claim(store.db)).map(({ callbackId }) => callbackId)).toEqual([other]);
    await allowDeliveries(store.db, 'gone');
    expect(await claim(store.db)).toHaveLength(2);
    await store.db.query('update callbacks.head set lease_token = null, ready = true');
    await work(store.db);
  });

  it('does not hand a stopped queue to the worker that has its lease', async () => {
    await accept(
      store.db,
      { application: 'gone', queue: 'q' },
      { application: 'gone', queue: 'q' },
    );
    const [delivery] = await claim(store.db);
    if (!delivery) throw new Error('nothing was claimed');
    await stopDeliveries(store.db, 'gone');
    const results = [{ delivery, attempt: undefined, verdict: delivered, keepLease: true }];
    const [recorded] = await store.db.transaction(async (tx) => {
      await lockHeads(tx, results);
      return recordResults(tx, results, 60_000);
    });
    expect(recorded).toMatchObject({ ending: 'delivered', next: undefined });
    await allowDeliveries(store.db, 'gone');
    await work(store.db);
  });

  it('removes queues, heads, finished callbacks and history of one application only', async () => {
    for (const application of ['gone', 'stays', '']) {
      await accept(store.db, ...Array.from({ length: 9 }, () => ({ application })));
      await accept(
        store.db,
        ...Array.from({ length: 20 }, (_, i) => ({ application, queue: `q${i % 3}` })),
      );
    }
    const [leased] = await claim(store.db, 4);
    expect(leased).toBeDefined();
    const before = [await countOf(store, 'stays'), await countOf(store, '')];
    await stopDeliveries(store.db, 'gone');
    expect(await run(store, removeWaiting, 'gone')).toBe(17);
    expect(await run(store, removeCallbacks, 'gone')).toBe(12);
    expect(await countOf(store, 'gone')).toBe(0);
    expect([await countOf(store, 'stays'), await countOf(store, '')]).toEqual(before);
    await allowDeliveries(store.db, 'gone');
  });

  it('drops the result of an attempt whose callback is removed', async () => {
    await accept(store.db, { application: 'gone', queue: 'q' }, { application: 'gone' });
    const leased = await claim(store.db);
    expect(await run(store, removeWaiting, 'gone')).toBe(0);
    expect(await run(store, removeCallbacks, 'gone')).toBe(2);
    expect(await record(store.db, leased, delivered)).toEqual([]);
    expect(await countOf(store, 'gone')).toBe(0);
  });

  it('takes the callbacks that are accepted behind a head while it is removed', async () => {
    await acceptOne(store.db, { application: 'gone', queue: 'q' });
    expect(await run(store, removeWaiting, 'gone')).toBe(0);
    await accept(
      store.db,
      { application: 'gone', queue: 'q' },
      { application: 'gone', queue: 'q' },
    );
    expect(await run(store, removeCallbacks, 'gone')).toBe(3);
    expect(await countOf(store, 'gone')).toBe(0);
  });

  it('removes settings table by table, in bounded steps', async () => {
    const insert = `insert into callbacks.idempotency (application, key, body_hash, callback_id)
      select $1, 'k' || i, '', gen_random_uuid() from generate_series(1, 15) i`;
    for (const application of ['gone', 'stays']) {
      await store.db.query(insert, [application]);
      await store.db.query(
        `insert into callbacks.queue (application, queue, paused) values ($1, 'q', true)`,
        [application],
      );
      await store.db.query(
        `insert into callbacks.application_policy (application, name, policy) values ($1, 'p', '{}')`,
        [application],
      );
      await store.db.query(
        `insert into callbacks.endpoint (id, application, name, url, headers, policy, own_policy_name, timeout_ms)
         values (gen_random_uuid(), $1, 'e', 'http://x', '{}', '{}', 'p', 1000)`,
        [application],
      );
      await store.db.query(
        `insert into callbacks.mail (id, application, recipient, subject, body)
         values (gen_random_uuid(), $1, 'a@example.com', 's', 'b')`,
        [application],
      );
      await store.db.query(
        `insert into callbacks.mail_recipient (id, application, address, mailbox, state)
         values (gen_random_uuid(), $1, 'a@example.com', 'a@example.com', 'pending')`,
        [application],
      );
    }
    expect(await run(store, removeSettings, 'gone')).toBe(20);
    const { rows } = await store.db.query(
      `select application, count(*)::int as n from callbacks.idempotency group by 1`,
    );
    expect(rows).toEqual([{ application: 'stays', n: 15 }]);
    for (const table of ['endpoint', 'application_policy', 'mail', 'mail_recipient', 'queue']) {
      const left = await store.db.query(`select application from callbacks.${table}`);
      expect(left.rows, table).toEqual([{ application: 'stays' }]);
    }
    await store.db.query(`truncate callbacks.idempotency, callbacks.queue, callbacks.mail,
      callbacks.mail_recipient; delete from callbacks.endpoint; delete from callbacks.application_policy`);
  });
}

describeWithPostgres('removal of an application', () => {
  removalOn('postgres');

  const store = useEmptiedStore();

  it('leaves a head that a worker has locked, and removes it afterwards', async () => {
    const ids = await accept(
      store.db,
      ...Array.from({ length: 5 }, () => ({ application: 'gone' })),
    );
    await store.db.transaction(async (worker) => {
      await worker.query('select from callbacks.head where callback_id = $1 for no key update', [
        ids[1],
      ]);
      const step = { position: undefined, limit: 3 };
      const progress = await store.db.transaction((tx) => removeCallbacks(tx, 'gone', step));
      expect(progress).toMatchObject({ position: ids[0], done: false, erased: 2 });
    });
    expect(await run(store, removeCallbacks, 'gone')).toBe(3);
  });

  it('keeps every queue with a head while writers and workers go on', async () => {
    const writers = Array.from({ length: 3 }, async (_, n) => {
      for (let i = 0; i < 20; i += 1) {
        await accept(
          store.db,
          ...Array.from({ length: 8 }, (_, k) => ({
            application: k % 2 === 0 ? 'gone' : 'stays',
            queue: `q${(n + k) % 4}`,
          })),
        );
      }
    });
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 30; i += 1) await record(store.db, await claim(store.db, 5), delivered);
    };
    const remover = async (): Promise<void> => {
      for (let i = 0; i < 10; i += 1) {
        await run(store, removeWaiting, 'gone');
        await run(store, removeCallbacks, 'gone');
      }
    };
    await Promise.all([...writers, worker(), remover()]);
    await run(store, removeWaiting, 'gone');
    await run(store, removeCallbacks, 'gone');
    expect(await countOf(store, 'gone')).toBe(0);
    const { rows } = await store.db.query<{ n: number }>(
      `select count(*)::int as n from callbacks.request where application = 'stays'`,
    );
    expect(rows[0]?.n).toBe(240);
  });
});

describe('removal of an application, embedded', () => removalOn('embedded'));

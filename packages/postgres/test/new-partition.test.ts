import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Database, openPostgres } from '../src/index.js';

describeWithPostgres('a partition that is attached while rows are being written', () => {
  let db: Database;
  let drop: () => Promise<void>;
  beforeEach(async () => {
    const database = await createTestDatabase();
    drop = database.drop;
    db = await openPostgres({ url: database.url });
    await db.query(`
      create table item (id int) partition by range (id);
      create table item_default partition of item default;
      create table item_new (like item)`);
  });
  afterEach(async () => {
    await db.close();
    await drop();
  });

  /** Runs `write`, which must wait for the default partition while the other one is attached. */
  const attachDuring = async <T>(write: () => Promise<T>): Promise<PromiseSettledResult<T>> => {
    let written: Promise<PromiseSettledResult<T>[]> | undefined;
    await db.transaction(async (tx) => {
      await tx.query('lock table item_default in access exclusive mode');
      written = Promise.allSettled([write()]);
      await vi.waitFor(async () => {
        const { rows } = await db.query('select from pg_locks where not granted');
        expect(rows).toHaveLength(1);
      });
      await tx.query('alter table item attach partition item_new for values from (0) to (10)');
    });
    const [outcome] = (await written) ?? [];
    if (!outcome) throw new Error('nothing was written');
    return outcome;
  };

  it('gets the rows', async () => {
    const outcome = await attachDuring(() => db.query('insert into item values (1)'));
    expect(outcome).toMatchObject({ status: 'fulfilled', value: { rowCount: 1 } });
    expect((await db.query('select id from item_new')).rows).toEqual([{ id: 1 }]);
  });

  it('is a conflict for a transaction, which can be retried', async () => {
    const outcome = await attachDuring(() =>
      db.transaction((tx) => tx.query('insert into item values (1)')),
    );
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'DATABASE_CONFLICT', retryable: true },
    });
  });

  it('refuses a row of another range, without endless retries', async () => {
    await db.query('alter table item attach partition item_new for values from (0) to (10)');
    const refused = db.query('insert into item_new values (10)');
    await expect(refused).rejects.toMatchObject({ code: 'DATABASE_CONFLICT' });
  });
});

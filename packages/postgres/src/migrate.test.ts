import { setTimeout as sleep } from 'node:timers/promises';
import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeEngines, type Subject } from '../test/engines.js';
import type { Database } from './database.js';
import { type Migration, type MigrationSet, migrate, pendingMigrations } from './migrate.js';
import { openPostgres } from './server/open-postgres.js';

const first: Migration = {
  version: 1,
  name: 'tables',
  sql: `create schema shop;
    create table shop.item (id int primary key, price int8 not null);
    create index item_price on shop.item (price);`,
};
const second: Migration = {
  version: 2,
  name: 'first items',
  sql: `insert into shop.item values (1, 100), (2, 200);
    -- A body with semicolons, which must not be split.
    create function shop.total() returns int8 language plpgsql as $$
      declare result int8; begin select sum(price) into result from shop.item; return result; end $$;`,
};
const third: Migration = {
  version: 5,
  name: 'currency',
  sql: `alter table shop.item add currency text not null default 'EUR'`,
};
const shop = (...migrations: Migration[]): MigrationSet => ({ owner: 'shop', migrations });
const other: MigrationSet = {
  owner: 'other',
  migrations: [{ version: 1, name: 'uses shop', sql: 'create view other_view as table shop.item' }],
};

const clean = `drop view if exists other_view; drop schema if exists shop, posthaste cascade`;

describeEngines('migrations', (subject: Subject) => {
  beforeEach(async () => {
    await subject.db.query(clean);
  });

  it('are applied once, in order, with several statements each', async () => {
    const { db } = subject;
    expect(await migrate(db, [shop(first, second), other])).toEqual([
      { owner: 'shop', version: 1, name: 'tables' },
      { owner: 'shop', version: 2, name: 'first items' },
      { owner: 'other', version: 1, name: 'uses shop' },
    ]);
    expect(await migrate(db, [shop(first, second), other])).toEqual([]);
    expect((await db.query('select shop.total()')).rows).toEqual([{ total: 300n }]);
  });

  it('of a newer release are added', async () => {
    const { db } = subject;
    await migrate(db, [shop(first)]);
    expect(await migrate(db, [shop(first, second, third)])).toHaveLength(2);
    expect(await migrate(db, [shop(first, second, third)])).toEqual([]);
  });

  it('are recorded with checksum and time', async () => {
    await migrate(subject.db, [shop(first)]);
    const { rows } = await subject.db.query('select * from posthaste.migration');
    expect(rows).toEqual([
      {
        owner: 'shop',
        version: 1,
        name: 'tables',
        checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
        applied_at: expect.any(Date),
      },
    ]);
  });

  it('are pending until they are applied; listing them changes nothing', async () => {
    const { db } = subject;
    const sets = [shop(first, second)];
    expect(await pendingMigrations(db, sets)).toHaveLength(2);
    expect((await db.query(`select to_regnamespace('posthaste') as made`)).rows).toEqual([
      { made: null },
    ]);
    await migrate(db, [shop(first)]);
    expect(await pendingMigrations(db, sets)).toEqual([
      { owner: 'shop', version: 2, name: 'first items' },
    ]);
    await migrate(db, sets);
    expect(await pendingMigrations(db, sets)).toEqual([]);
  });

  it.each([
    ['was edited', [{ ...first, sql: `${first.sql} ` }, second]],
    ['is unknown to this release', [first]],
    ['was put before one that is applied', [first, { ...third, version: 2 }]],
    ['was removed', [second]],
  ])('are refused when one %s', async (_, migrations) => {
    const { db } = subject;
    await migrate(db, [shop(first, second)]);
    const refusal = { code: 'MIGRATION_MISMATCH', retryable: false };
    await expect(migrate(db, [shop(...migrations)])).rejects.toMatchObject(refusal);
    await expect(pendingMigrations(db, [shop(...migrations)])).rejects.toMatchObject(refusal);
  });

  it('ignore those of other packages', async () => {
    await migrate(subject.db, [shop(first), other]);
    expect(await migrate(subject.db, [shop(first, second)])).toHaveLength(1);
  });

  it('stop at one that fails: it is rolled back, and those before it stay applied', async () => {
    const { db } = subject;
    const broken = {
      version: 2,
      name: 'broken',
      sql: 'create table shop.half (id int); select 1/0',
    };
    await expect(migrate(db, [shop(first, broken), other])).rejects.toMatchObject({
      code: 'DATABASE_ERROR',
      message: expect.stringContaining('shop 2 (broken)'),
    });
    expect((await db.query(`select to_regclass('shop.half') as half`)).rows).toEqual([
      { half: null },
    ]);
    expect(await migrate(db, [shop(first, second), other])).toHaveLength(2);
  });

  it.each([
    ['descend', [shop({ ...first, version: 2 }, { ...second, version: 1 })]],
    ['repeat', [shop(first, { ...second, version: 1 })]],
    ['are not whole', [shop({ ...first, version: 1.5 })]],
    ['begin at 0', [shop({ ...first, version: 0 })]],
    ['have the same owner twice', [shop(first), shop(first)]],
  ])('are refused when versions %s', async (_, sets) => {
    await expect(migrate(subject.db, sets)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('may change the result of a prepared statement', async () => {
    const { db } = subject;
    const read = { name: 'read_items', text: 'select * from shop.item order by id limit 1' };
    await migrate(db, [shop(first, second)]);
    await db.query(read);
    await migrate(db, [shop(first, second, third)]);
    for (let i = 0; i < 3; i++) {
      expect((await db.query(read)).rows).toEqual([{ id: 1, price: 100n, currency: 'EUR' }]);
    }
    await db.query('alter table shop.item drop currency');
    await expect(db.transaction((tx) => tx.query(read))).rejects.toMatchObject({
      code: 'DATABASE_CONFLICT',
      retryable: true,
    });
    const { rows } = await db.transaction((tx) => tx.query(read));
    expect(rows).toEqual([{ id: 1, price: 100n }]);
  });
});

describeWithPostgres('migrating processes', () => {
  let database: TestDatabase;
  let handles: Database[];

  beforeAll(async () => {
    database = await createTestDatabase();
    const { url } = database;
    handles = await Promise.all(
      Array.from({ length: 4 }, () => openPostgres({ url, statementTimeoutMs: 200 })),
    );
  });
  afterAll(async () => {
    await Promise.all(handles.map((db) => db.close()));
    await database.drop();
  });

  it('wait for one another without a time limit, and apply each migration once', async () => {
    const slow = { version: 9, name: 'slow', sql: 'select pg_sleep(0.5)' };
    const sets = [shop(first, second, third, slow), other];
    const applied = await Promise.all(handles.map((db) => migrate(db, sets)));
    expect(applied.flat()).toHaveLength(5);
  });

  it('do not stop others while a transaction holds a table that they change', async () => {
    const [reader, migrator, other] = handles as [Database, Database, Database];
    await migrator.query(clean);
    await migrate(migrator, [shop(first)]);
    let applied: Promise<unknown> | undefined;
    await reader.transaction(
      async (tx) => {
        await tx.query('select from shop.item');
        applied = migrate(migrator, [shop(first, third)]);
        const until = Date.now() + 2_000;
        while (Date.now() < until) {
          await other.transaction((tx2) => tx2.query('select from shop.item'), {
            statementTimeoutMs: 1_000,
          });
          await sleep(20);
        }
      },
      { statementTimeoutMs: 10_000 },
    );
    expect(await applied).toEqual([{ owner: 'shop', version: 5, name: 'currency' }]);
  });
});

import { randomUUID } from 'node:crypto';
import { accessMigrations } from '@posthaste/access';
import { eventstreamMigrations } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { oldEventStatements as old } from '../test/old-event-statements.js';
import type { Engine } from '../test/test-events.js';

const eventTables = ['event_claim', 'dead_letter_replay', 'replayed_dead_letter'];

interface TestDatabase {
  readonly db: Database;
  /** Another process on the same database; on the embedded database, which has one, the same. */
  readonly other: Database;
}

async function openDatabases(engine: Engine): Promise<TestDatabase> {
  if (engine === 'embedded') {
    const db = await openEmbedded({});
    onTestFinished(() => db.close());
    return { db, other: db };
  }
  const { url, drop } = await createTestDatabase();
  const [db, other] = await Promise.all([
    openPostgres({ url, maxConnections: 2 }),
    openPostgres({ url, maxConnections: 4 }),
  ]);
  onTestFinished(async () => {
    await Promise.all([db.close(), other.close()]);
    await drop();
  });
  return { db, other };
}

/** Columns, indexes, constraints and storage options of the tables, apart from their schema. */
async function describeTables(db: Database): Promise<unknown> {
  const { rows } = await db.query<object>(
    `select c.relname, c.reloptions,
       (select array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' ||
          a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') order by a.attnum)
        from pg_attribute a left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
       (select array_agg(pg_get_indexdef(i.indexrelid) order by i.indexrelid::regclass::text)
        from pg_index i where i.indrelid = c.oid) as indexes,
       (select array_agg(k.conname || ' ' || pg_get_constraintdef(k.oid) order by k.conname)
        from pg_constraint k where k.conrelid = c.oid) as constraints
     from pg_class c where c.relnamespace = 'event_log'::regnamespace and c.relkind = 'r'
     order by c.relname`,
  );
  return rows;
}

/** Runs each statement of an old gateway, on claims, replays and letters of its own. */
async function runOldStatements(db: Database, n: number): Promise<void> {
  const names = [
    [`key`, `id`],
    [`t${n}`, `t${n}`],
    [`k${n}`, `i${n}`],
  ];
  const hashes = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const id = `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
  await db.transaction(async (tx) => {
    const claim = [...names, hashes, ['e1', 'e1']];
    expect((await tx.query(old.claim, claim)).rowCount).toBe(2);
    expect((await tx.query(old.claim, claim)).rowCount).toBe(0);
    expect((await tx.query(old.settleClaims, [...names, [1, 1], [7n, 7n]])).rowCount).toBe(2);
    const { rows } = await tx.query<object>(old.findClaims, [...names, hashes]);
    expect(rows).toMatchObject([
      { offset: 7n, same_body: true },
      { offset: 7n, same_body: true },
    ]);
    const keyOnly = names.map(([first]) => [first]);
    expect((await tx.query(old.dropClaims, keyOnly)).rowCount).toBe(1);
  });
  const created = await db.query<{ state: string; matched: bigint; due_at: Date }>(
    old.createReplay,
    [id, `t${n}`, '{"name":"a"}', 50, false, false],
  );
  expect(created.rows).toMatchObject([{ state: 'running', matched: 0n, due_at: expect.any(Date) }]);
  expect((await db.query(old.getReplay, [id])).rows).toEqual(created.rows);
  expect((await db.query<{ id: string }>(old.listReplays, [null, 1])).rows).toMatchObject([{ id }]);
  await db.transaction(async (tx) => {
    expect((await tx.query(old.dueReplay)).rowCount).toBe(1);
    expect((await tx.query(old.lockReplay, [id, null])).rowCount).toBe(1);
    const letters = [[`t${n}.dlq`], [0], [3n]];
    expect((await tx.query(old.markReplayed, [...letters, false])).rowCount).toBe(1);
    expect((await tx.query(old.markReplayed, [...letters, false])).rowCount).toBe(0);
    expect((await tx.query(old.markReplayed, [...letters, true])).rowCount).toBe(1);
    expect((await tx.query(old.findReplayed, letters)).rowCount).toBe(1);
    const step = [id, 'cursor', false, 1, 1, 0, new Date()];
    expect((await tx.query(old.advanceReplay, step)).rowCount).toBe(1);
  });
  expect((await db.query(old.endReplay, [id, 'cancelled', null])).rowCount).toBe(1);
  // Nothing is that old: the statements find nothing, and must not fail.
  for (const forget of [old.forgetClaims, old.forgetReplayed]) {
    expect((await db.query(forget, [86_400_000, 5_000])).rowCount).toBe(0);
  }
}

async function countRows(db: Database): Promise<number[]> {
  const counts = eventTables.map((table) => db.query(`select from event_log.${table}`));
  return (await Promise.all(counts)).map(({ rowCount }) => rowCount);
}

describe.each<Engine>(['postgres', 'embedded'])('the event tables on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('when they move out of the gateway', () => {
    it('are the same as those of a database that never had a gateway', async () => {
      const [moved, created] = [await openDatabases(engine), await openDatabases(engine)];
      await migrate(moved.db, [accessMigrations, eventstreamMigrations, eventLogMigrations]);
      await migrate(created.db, [eventLogMigrations]);
      const tables = await describeTables(moved.db);
      expect(tables).toHaveLength(3);
      expect(tables).toEqual(await describeTables(created.db));
    });

    it('keep their rows, and serve gateways of the version before', async () => {
      const { db, other } = await openDatabases(engine);
      await migrate(db, [accessMigrations]);
      // Prepared before the move, and used again after it.
      await runOldStatements(other, 1);
      await migrate(db, [accessMigrations, eventLogMigrations]);
      expect(await migrate(db, [accessMigrations, eventLogMigrations])).toEqual([]);
      expect(await countRows(db)).toEqual([1, 1, 1]);
      await runOldStatements(other, 2);
      expect(await countRows(db)).toEqual([2, 2, 2]);
      await other.query(old.forgetClaims, [-1_000, 5_000]);
      await other.query(old.forgetReplayed, [-1_000, 5_000]);
      expect(await countRows(db)).toEqual([0, 2, 0]);
    });
  });
});

/** Creates a role that may use what it is granted, and opens the database as it. */
async function openAsRole(url: string, db: Database): Promise<{ role: string; as: Database }> {
  const role = `gateway_${randomUUID().replaceAll('-', '')}`;
  await db.query(`create role ${role} login password 'secret'`);
  const asRole = new URL(url);
  asRole.username = role;
  asRole.password = 'secret';
  return { role, as: await openPostgres({ url: asRole.href, maxConnections: 2 }) };
}

describeWithPostgres('a gateway with a database role of its own', () => {
  it('keeps its rights on the tables, by their old names and where they are now', async () => {
    const { url, drop } = await createTestDatabase();
    const db = await openPostgres({ url, maxConnections: 2 });
    const { role, as } = await openAsRole(url, db);
    onTestFinished(async () => {
      await as.close();
      await db.query(`drop owned by ${role}`);
      await db.query(`drop role ${role}`);
      await db.close();
      await drop();
    });
    await migrate(db, [accessMigrations]);
    await db.query(`grant usage on schema gateway to ${role}`);
    await db.query(
      `grant select, insert, update, delete on all tables in schema gateway to ${role}`,
    );
    await runOldStatements(as, 1);
    await migrate(db, [accessMigrations, eventLogMigrations]);
    await runOldStatements(as, 2);
    expect(await countRows(as)).toEqual([2, 2, 2]);
  });

  it('is not held up by a migration that waits for a long reader', async () => {
    const { db, other } = await openDatabases('postgres');
    await migrate(db, [accessMigrations]);
    const migration = await other.transaction(async (reader) => {
      await reader.query('select from gateway.event_claim');
      const running = migrate(db, [accessMigrations, eventLogMigrations]);
      await runOldStatements(other, 1);
      // In a list, so that the transaction does not wait for it.
      return [running];
    });
    await Promise.all(migration);
    expect(await countRows(db)).toEqual([1, 1, 1]);
  });
});

describeWithPostgres('a gateway of the version before', () => {
  it('works while the tables move', async () => {
    const { db, other } = await openDatabases('postgres');
    await migrate(db, [accessMigrations]);
    let stopped = false;
    let rounds = 0;
    const gateway = (async () => {
      while (!stopped) {
        rounds += 1;
        await runOldStatements(other, rounds);
      }
    })();
    await expect.poll(() => rounds).toBeGreaterThan(5);
    await migrate(db, [eventLogMigrations]);
    const atMove = rounds;
    await expect.poll(() => rounds).toBeGreaterThan(atMove + 5);
    stopped = true;
    await gateway;
    expect(await countRows(db)).toEqual([rounds, rounds, rounds]);
  });
});

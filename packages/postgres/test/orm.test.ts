import { PlatformError } from '@posthaste/contracts';
import { eq, sql } from 'drizzle-orm';
import { bigint, customType, jsonb, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { type Orm, ormOf } from '../src/drizzle.js';
import { sqlState } from '../src/index.js';
import { describeEngines, type Subject } from './engines.js';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

const note = pgSchema('shelf').table('note', {
  id: uuid().primaryKey(),
  size: bigint({ mode: 'bigint' }).notNull(),
  at: timestamp({ withTimezone: true }).notNull(),
  body: bytea().notNull(),
  labels: text().array().notNull(),
  extra: jsonb(),
});

const row: typeof note.$inferInsert = {
  id: '0190a5d8-0000-7000-8000-00000000000f',
  size: 9_007_199_254_740_993n,
  at: new Date('2026-01-31T10:20:30.456Z'),
  body: Buffer.from([0, 255]),
  labels: ['a', 'b"c'],
  extra: { a: [1, null] },
};

describeEngines('drizzle', (subject: Subject) => {
  beforeAll(async () => {
    await subject.db.query(`
      create schema shelf;
      create table shelf.note (id uuid primary key, size bigint not null, at timestamptz not null,
        body bytea not null, labels text[] not null, extra jsonb)`);
  });

  beforeEach(async () => {
    await ormOf(subject.db).delete(note);
  });

  it('writes and reads by the same table definition', async () => {
    const orm = ormOf(subject.db);
    expect(await orm.insert(note).values(row).returning()).toEqual([row]);
    await orm.update(note).set({ labels: [] }).where(eq(note.id, row.id));
    expect(await orm.select().from(note)).toEqual([{ ...row, labels: [] }]);
    expect(await orm.$count(note)).toBe(1);
  });

  it('returns the values of the handle for written SQL', async () => {
    const { rows } = await ormOf(subject.db).execute(sql`select ${5}::int8 as n, now() as at`);
    expect(rows).toEqual([{ n: 5n, at: expect.any(Date) }]);
  });

  it('runs prepared queries', async () => {
    const orm = ormOf(subject.db);
    await orm.insert(note).values(row);
    const byId = orm
      .select({ size: note.size })
      .from(note)
      .where(eq(note.id, sql.placeholder('id')))
      .prepare('note_by_id');
    expect(await byId.execute({ id: row.id })).toEqual([{ size: row.size }]);
    expect(await byId.execute({ id: row.id })).toEqual([{ size: row.size }]);
  });

  it('works in a transaction of the handle', async () => {
    const insert = async (orm: Orm): Promise<void> => {
      await orm.insert(note).values(row);
    };
    const outcome = subject.db.transaction(async (tx) => {
      await insert(ormOf(tx));
      expect(await ormOf(tx).$count(note)).toBe(1);
      throw new Error('undo');
    });
    await expect(outcome).rejects.toThrow('undo');
    expect(await ormOf(subject.db).$count(note)).toBe(0);
  });

  it('opens transactions with savepoints inside', async () => {
    const orm = ormOf(subject.db);
    await orm.transaction(
      async (tx) => {
        await tx.insert(note).values(row);
        const inner = tx.transaction(async (savepoint) => {
          await savepoint.delete(note);
          throw new Error('keep it');
        });
        await expect(inner).rejects.toThrow('keep it');
      },
      { isolationLevel: 'serializable' },
    );
    expect(await orm.$count(note)).toBe(1);
  });

  it('throws PlatformErrors whose text contains no parameters', async () => {
    const orm = ormOf(subject.db);
    const secret = { ...row, labels: ['a secret'] };
    await orm.insert(note).values(secret);
    const error = await orm
      .insert(note)
      .values(secret)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(PlatformError);
    expect(error).toMatchObject({ code: 'DATABASE_ERROR' });
    expect(sqlState(error)).toBe('23505');
    expect(String(error)).not.toContain('a secret');
  });
});

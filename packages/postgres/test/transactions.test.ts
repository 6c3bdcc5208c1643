import { PlatformError } from '@posthaste/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { sqlState } from '../src/index.js';
import { describeEngines, type Subject } from './engines.js';

describeEngines('statements and transactions', (subject: Subject) => {
  beforeEach(async () => {
    await subject.db.query('drop table if exists item');
    await subject.db.query('create table item (id int primary key, note text)');
  });

  const ids = async (): Promise<unknown[]> => {
    const { rows } = await subject.db.query<{ id: number }>('select id from item order by id');
    return rows.map(({ id }) => id);
  };

  it('commits the statements, and returns the result of the work', async () => {
    const result = await subject.db.transaction(async (tx) => {
      await tx.query('insert into item (id) values ($1)', [1]);
      await tx.query('insert into item (id) values ($1)', [2]);
      return 'done';
    });
    expect(result).toBe('done');
    expect(await ids()).toEqual([1, 2]);
  });

  it('rolls back when the work throws, and throws the same error', async () => {
    const reason = new Error('changed my mind');
    const outcome = subject.db.transaction(async (tx) => {
      await tx.query('insert into item (id) values (1)');
      throw reason;
    });
    await expect(outcome).rejects.toBe(reason);
    expect(await ids()).toEqual([]);
  });

  it('rolls back when a statement fails', async () => {
    const outcome = subject.db.transaction(async (tx) => {
      await tx.query('insert into item (id) values (1)');
      await tx.query('insert into item (id) values (1)');
    });
    const error = await outcome.catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'DATABASE_ERROR', retryable: false });
    expect(sqlState(error)).toBe('23505');
    expect(await ids()).toEqual([]);
  });

  it('does not report success when the work ignores the error of a statement', async () => {
    const outcome = subject.db.transaction(async (tx) => {
      await tx.query('insert into item (id) values (1)');
      await tx.query('select 1 / 0').catch(() => undefined);
    });
    await expect(outcome).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
    expect(await ids()).toEqual([]);
  });

  it('runs statements that were sent together in order', async () => {
    const statement = { name: 'insert_item', text: 'insert into item (id, note) values ($1, $2)' };
    const notes = await subject.db.transaction(async (tx) => {
      const sent = Array.from({ length: 50 }, (_, i) => tx.query(statement, [i, `note ${i}`]));
      const read = tx.query('select count(*) as count from item');
      await Promise.all(sent);
      return (await read).rows;
    });
    expect(notes).toEqual([{ count: 50n }]);
  });

  it('fails every statement after one that failed', async () => {
    const outcomes = await subject.db
      .transaction((tx) =>
        Promise.allSettled([
          tx.query('insert into item (id) values (1)'),
          tx.query('select 1 / 0'),
          tx.query('insert into item (id) values (2)'),
        ]),
      )
      .catch((error: unknown) => error);
    expect(outcomes).toMatchObject({ code: 'DATABASE_ERROR' });
    expect(await ids()).toEqual([]);
  });

  it('refuses statements after its end', async () => {
    const late = await subject.db.transaction(async (tx) => {
      await tx.query('insert into item (id) values (1)');
      return tx;
    });
    await expect(late.query('insert into item (id) values (2)')).rejects.toMatchObject({
      code: 'DATABASE_ERROR',
      message: 'the transaction has ended',
    });
    expect(await ids()).toEqual([1]);
  });

  it.each([
    ['left open', 'begin; insert into item (id) values (1)'],
    ['left failed', 'begin; select 1 / 0'],
  ])('does not let later calls join a transaction that a statement %s', async (_, text) => {
    await subject.db.query(text).catch(() => undefined);
    for (let id = 10; id < 15; id++) {
      await subject.db.query('insert into item (id) values ($1)', [id]);
    }
    expect(await ids()).toEqual([10, 11, 12, 13, 14]);
  });

  it('can have another time limit', async () => {
    const limits = await subject.db.transaction(
      async (tx) => (await tx.query('show statement_timeout')).rows,
      { statementTimeoutMs: 61_000 },
    );
    expect(limits).toEqual([{ statement_timeout: '61s' }]);
  });

  it('runs many statements and transactions at a time without mixing them', async () => {
    const increments = Array.from({ length: 20 }, (_, i) =>
      subject.db.transaction(async (tx) => {
        await tx.query('insert into item (id, note) values ($1, $2)', [i, 'first']);
        await tx.query('update item set note = $2 where id = $1', [i, 'second']);
        if (i % 4 === 0) throw new PlatformError('STOPPING', 'rolled back on purpose');
      }),
    );
    const reads = Array.from({ length: 40 }, () =>
      subject.db.query(`select count(*) as count from item where note = 'first'`),
    );
    const outcomes = await Promise.allSettled(increments);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(5);
    for (const { rows } of await Promise.all(reads)) expect(rows).toEqual([{ count: 0n }]);
    expect(await ids()).toHaveLength(15);
    expect(subject.db.poolStats()).toMatchObject({ waiting: 0 });
  });

  describe('errors', () => {
    it.each([
      ['a duplicate', 'insert into item (id) values (7), (7)', '23505'],
      ['a missing table', 'select * from nowhere', '42P01'],
      ['bad syntax', 'selec 1', '42601'],
      ['division by zero', 'select 1 / 0', '22012'],
      ['text that is not a number', `select 'x'::int`, '22P02'],
    ])('%s is DATABASE_ERROR with its SQLSTATE', async (_, text, state) => {
      const error = await subject.db.query(text).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(PlatformError);
      expect(error).toMatchObject({ code: 'DATABASE_ERROR', retryable: false });
      expect(sqlState(error)).toBe(state);
    });

    it.each([
      ['53100', 'DATABASE_FULL'],
      ['53200', 'DATABASE_FULL'],
      ['53300', 'DATABASE_FULL'],
      ['25006', 'DATABASE_READ_ONLY'],
      ['40001', 'DATABASE_CONFLICT'],
      ['40P01', 'DATABASE_CONFLICT'],
      ['57014', 'DATABASE_TIMEOUT'],
      ['55P03', 'DATABASE_TIMEOUT'],
    ])('SQLSTATE %s is %s, which is retryable', async (state, code) => {
      const text = `do $$ begin raise exception using errcode = '${state}', message = 'test'; end $$`;
      const error = await subject.db.query(text).catch((e: unknown) => e);
      expect(error).toMatchObject({ code, retryable: true });
      expect(sqlState(error)).toBe(state);
    });

    it('a write in a read-only transaction is DATABASE_READ_ONLY', async () => {
      const outcome = subject.db.transaction(async (tx) => {
        await tx.query('set transaction read only');
        await tx.query('insert into item (id) values (1)');
      });
      await expect(outcome).rejects.toMatchObject({ code: 'DATABASE_READ_ONLY', retryable: true });
    });

    it('a wrong number of parameters is DATABASE_ERROR, and closes no connection', async () => {
      const statement = { name: 'two_values', text: 'select $1::int + $2::int as sum' };
      const error = await subject.db.query(statement, [1]).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'DATABASE_ERROR', retryable: false });
      expect(sqlState(error)).toBe('08P01');
      expect((await subject.db.query(statement, [1, 2])).rows).toEqual([{ sum: 3 }]);
    });

    it('one name for two statements is DATABASE_ERROR', async () => {
      await subject.db.query({ name: 'twice', text: 'select 1' });
      await expect(subject.db.query({ name: 'twice', text: 'select 2' })).rejects.toMatchObject({
        code: 'DATABASE_ERROR',
      });
      await subject.db.ping();
    });

    it('a prepared statement that failed can be run again', async () => {
      const statement = { name: 'divide', text: 'select 12 / $1::int as result' };
      await expect(subject.db.query(statement, [0])).rejects.toMatchObject({
        code: 'DATABASE_ERROR',
      });
      expect((await subject.db.query(statement, [4])).rows).toEqual([{ result: 3 }]);
    });

    it('have the caller in their stack', async () => {
      async function aCallerWithAName(): Promise<void> {
        await subject.db.query('select 1 / 0');
      }
      const error = await aCallerWithAName().catch((e: unknown) => e);
      expect((error as Error).stack).toContain('aCallerWithAName');
    });
  });
});

import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, vi } from 'vitest';
import { useServer } from '../../test/server-under-test.js';
import { openPostgres } from './open-postgres.js';

describe('options', () => {
  it.each([
    ['no URL', { url: '' }],
    ['another protocol', { url: 'mysql://user:secret@host/db' }],
    ['a missing certificate', { url: 'postgres://host/db?sslrootcert=/not/there' }],
    ['no connections', { url: 'postgres://host/db', maxConnections: 0 }],
    ['half a connection', { url: 'postgres://host/db', maxConnections: 1.5 }],
    ['no time to connect', { url: 'postgres://host/db', connectTimeoutMs: 0 }],
    ['negative time', { url: 'postgres://host/db', statementTimeoutMs: -1 }],
  ])('refuses %s', async (_, options) => {
    const error = await openPostgres(options).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'OPTION_INVALID' });
    expect(String(error)).not.toContain('secret');
  });
});

describeWithPostgres('openPostgres', () => {
  const subject = useServer();

  it('sets its name and its time limit on the server', async () => {
    const named = await subject.open({ applicationName: 'test-name', statementTimeoutMs: 1_234 });
    const { rows } = await named.query(
      `select current_setting('application_name') as name,
         current_setting('statement_timeout') as timeout`,
    );
    expect(rows).toEqual([{ name: 'test-name', timeout: '1234ms' }]);
  });

  it('keeps settings of the URL', async () => {
    const own = await subject.open({ url: subject.urlWith({ work_mem: '7MB' }) });
    const { rows } = await own.query(
      `select current_setting('work_mem') as memory, current_setting('TimeZone') as zone`,
    );
    expect(rows).toEqual([{ memory: '7MB', zone: 'UTC' }]);
  });

  it('opens no more connections than allowed', async () => {
    const small = await subject.open({ maxConnections: 2 });
    const calls = Array.from({ length: 6 }, () => small.query('select pg_sleep(0.1)'));
    await vi.waitFor(() =>
      expect(small.poolStats()).toEqual({ total: 2, idle: 0, waiting: expect.any(Number) }),
    );
    await Promise.all(calls);
    expect(small.poolStats()).toEqual({ total: 2, idle: 2, waiting: 0 });
  });

  it('does not change the decoders of other users of the driver', async () => {
    expect(await subject.asAdmin('select 1::int8 as n')).toEqual([{ n: '1' }]);
  });

  describe('refused by the server', () => {
    it('read-only: DATABASE_READ_ONLY for writes, while reads work', async () => {
      const url = subject.urlWith({ default_transaction_read_only: 'on' });
      const standby = await subject.open({ url });
      await standby.query('select id from kept');
      await expect(standby.query('insert into kept values (1)')).rejects.toMatchObject({
        code: 'DATABASE_READ_ONLY',
        retryable: true,
      });
    });

    it('too many connections: DATABASE_FULL', async () => {
      const greedy = await subject.open({ maxConnections: 40, connectTimeoutMs: 10_000 });
      const calls = Array.from({ length: 40 }, () => greedy.query('select pg_sleep(2)'));
      const outcomes = await Promise.allSettled(calls);
      const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(failed.length).toBeGreaterThan(0);
      for (const { reason } of failed) {
        expect(reason).toMatchObject({ code: 'DATABASE_FULL', retryable: true });
      }
      await greedy.ping();
    });

    it('no space for a sort: DATABASE_FULL', async () => {
      const url = subject.urlWith({ temp_file_limit: '1', work_mem: '64' });
      const sort = 'select n from generate_series(1, 100000) as n order by n desc offset 99999';
      await expect((await subject.open({ url })).query(sort)).rejects.toMatchObject({
        code: 'DATABASE_FULL',
      });
    });

    it('no such database: DATABASE_ERROR, because no retry helps', async () => {
      const url = subject.server.url.replace(/postgres$/, 'nowhere');
      await expect((await subject.open({ url })).ping()).rejects.toMatchObject({
        code: 'DATABASE_ERROR',
        retryable: false,
      });
    });

    it('a deadlock: DATABASE_CONFLICT for one of the transactions', async () => {
      const { db } = subject;
      await db.query('insert into kept values (1), (2)');
      let locked = 0;
      const lockBoth = (first: number, second: number): Promise<unknown> =>
        db.transaction(async (tx) => {
          await tx.query('update kept set id = id where id = $1', [first]);
          locked++;
          await vi.waitFor(() => expect(locked).toBe(2), { timeout: 10_000, interval: 10 });
          await tx.query('update kept set id = id where id = $1', [second]);
        });
      const outcomes = await Promise.allSettled([lockBoth(1, 2), lockBoth(2, 1)]);
      const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(failed.map(({ reason }) => reason)).toMatchObject([
        { code: 'DATABASE_CONFLICT', retryable: true },
      ]);
    });
  });

  describe('close', () => {
    it('waits for running and waiting statements, refuses new ones, leaves no connection', async () => {
      const closing = await subject.open({ maxConnections: 1, applicationName: 'closing' });
      await closing.listen('x', () => undefined);
      const calls = [1, 2, 3].map((id) => closing.query('insert into kept values ($1)', [id]));
      const closed = closing.close();
      expect(closing.close()).toBe(closed);
      const refusal = { code: 'DATABASE_UNAVAILABLE' };
      await expect(closing.ping()).rejects.toMatchObject(refusal);
      await Promise.all([...calls, closed]);
      await expect(closing.listen('x', () => undefined)).rejects.toMatchObject(refusal);
      const left = `select pid from pg_stat_activity where application_name = 'closing'`;
      await vi.waitFor(async () => expect(await subject.asAdmin(left)).toEqual([]));
    });

    it('works while the server is down', async () => {
      await subject.db.listen('x', () => undefined);
      await subject.server.stop('immediate');
      await subject.db.close();
    });
  });
});

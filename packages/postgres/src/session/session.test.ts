import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, vi } from 'vitest';
import { useServer } from '../../test/server-under-test.js';

const unavailable = { code: 'DATABASE_UNAVAILABLE', retryable: true };
const outcomeUnknown = { code: 'DATABASE_OUTCOME_UNKNOWN', retryable: true };
const timedOut = { code: 'DATABASE_TIMEOUT', retryable: true };

/** Returns the promise of a call that may fail before it is awaited. */
function expected<T>(call: Promise<T>): Promise<T> {
  call.catch(() => undefined);
  return call;
}

describeWithPostgres('a server that stops', () => {
  const subject = useServer();

  it('before the start: the handle opens, each call fails, and works after the start', async () => {
    await subject.server.stop();
    const early = await subject.open();
    for (let i = 0; i < 3; i++) await expect(early.ping()).rejects.toMatchObject(unavailable);
    await subject.server.start();
    await early.ping();
  });

  it('while connections are idle: no crash, and calls succeed after its restart', async () => {
    const { db, server } = subject;
    await Promise.all(Array.from({ length: 5 }, () => db.query('select pg_sleep(0.02)')));
    await server.restart('immediate');
    await vi.waitFor(() => db.query('insert into kept values (1)'), { timeout: 10_000 });
    expect((await db.query('select id from kept')).rows).toContainEqual({ id: 1 });
  });

  it('while connections are idle: the loss is logged', async () => {
    const logger = { warn: vi.fn() };
    const logged = await subject.open({ logger });
    await logged.ping();
    await subject.endSessions();
    await vi.waitFor(() => expect(logger.warn).toHaveBeenCalled());
    expect(logger.warn.mock.calls[0]?.[0]).toMatchObject({ err: unavailable });
    await logged.ping();
  });

  it('during a statement that commits on its own: the outcome is unknown', async () => {
    const outcome = expected(subject.db.query('insert into kept select 1 from pg_sleep(30)'));
    await sleep(200);
    await subject.server.kill();
    await expect(outcome).rejects.toMatchObject(outcomeUnknown);
  });

  it('during a COMMIT: the outcome is unknown', async () => {
    const { db, server } = subject;
    const paused = Promise.withResolvers<void>();
    const outcome = expected(
      db.transaction(async (tx) => {
        await tx.query('insert into kept values (1)');
        await server.pause();
        paused.resolve();
      }),
    );
    await paused.promise;
    await server.kill();
    await expect(outcome).rejects.toMatchObject(outcomeUnknown);
  });

  it('during a statement of a transaction: nothing was stored', async () => {
    const { db, server } = subject;
    const outcome = expected(db.transaction((tx) => tx.query('select pg_sleep(30)')));
    await sleep(200);
    await server.kill();
    await expect(outcome).rejects.toMatchObject(unavailable);
  });

  it('between two statements of a transaction: nothing was stored, nothing is sent', async () => {
    const { db } = subject;
    const outcome = db.transaction(async (tx) => {
      await tx.query('insert into kept values (1)');
      await subject.endSessions();
      await vi.waitFor(() => expect(tx.query('select 1')).rejects.toMatchObject(unavailable));
    });
    await expect(outcome).rejects.toMatchObject(unavailable);
    expect((await db.query('select id from kept')).rows).toEqual([]);
  });

  it('by a command of an administrator: the session is not used again', async () => {
    const single = await subject.open({ maxConnections: 1 });
    await single.ping();
    const outcome = expected(single.transaction((tx) => tx.query('select pg_sleep(30)')));
    await sleep(200);
    await subject.endSessions();
    await expect(outcome).rejects.toMatchObject(unavailable);
    await single.ping();
  });
});

describeWithPostgres('sessions that end at random moments', () => {
  const subject = useServer();

  it('lose no reported transaction, and leave no half transaction', {
    timeout: 60_000,
  }, async () => {
    const { db } = subject;
    const reported: number[] = [];
    const codes = new Set<unknown>();
    let stopped = false;
    const statement = { name: 'keep', text: 'insert into kept (id) values ($1)' };
    const writer = async (n: number): Promise<void> => {
      for (let id = n; !stopped; id += 10) {
        try {
          await db.transaction((tx) =>
            Promise.all([tx.query(statement, [id]), tx.query(statement, [id])]),
          );
          reported.push(id);
        } catch (error) {
          codes.add((error as { code?: unknown }).code);
        }
      }
    };
    const writers = Array.from({ length: 10 }, (_, n) => writer(n));
    for (let ends = 0; ends < 30 || reported.length <= 100; ends++) {
      await subject.endSessions();
      await sleep(50);
    }
    stopped = true;
    await Promise.all(writers);
    const { rows } = await db.query<{ id: number; count: bigint }>(
      'select id, count(*) as count from kept group by id',
    );
    expect(rows.filter(({ count }) => count !== 2n)).toEqual([]);
    const stored = new Set(rows.map(({ id }) => id));
    expect(reported.filter((id) => !stored.has(id))).toEqual([]);
    for (const code of codes) expect(code).toMatch(/^DATABASE_(UNAVAILABLE|OUTCOME_UNKNOWN)$/);
  });
});

describeWithPostgres('time limits', () => {
  const subject = useServer();

  it('cancel a statement that takes too long, and keep the connection', async () => {
    const hasty = await subject.open({ statementTimeoutMs: 500, maxConnections: 1 });
    const pid = async (): Promise<unknown> => (await hasty.query('select pg_backend_pid()')).rows;
    const before = await pid();
    await expect(hasty.query('select pg_sleep(30)')).rejects.toMatchObject(timedOut);
    expect(await pid()).toEqual(before);
  });

  it('can differ in one transaction, and only there', async () => {
    const hasty = await subject.open({ statementTimeoutMs: 500, maxConnections: 1 });
    await hasty.transaction((tx) => tx.query('select pg_sleep(0.8)'), { statementTimeoutMs: 0 });
    await expect(hasty.query('select pg_sleep(0.8)')).rejects.toMatchObject(timedOut);
  });

  it('bound the wait for a free connection', async () => {
    const small = await subject.open({ maxConnections: 1, connectTimeoutMs: 1_000 });
    const busy = small.query('select pg_sleep(2.5)');
    await expect(small.ping()).rejects.toMatchObject({
      ...timedOut,
      message: 'no database connection within 1000 ms',
    });
    await busy;
  });

  it('bound the wait for a server that accepts and does not respond', async () => {
    await subject.server.pause();
    const hasty = await subject.open({ connectTimeoutMs: 300 });
    await expect(hasty.ping()).rejects.toMatchObject(timedOut);
  });

  describe('bound the wait for a frozen server', () => {
    it('in a statement that commits on its own, in a COMMIT, and in ping', async () => {
      const { server } = subject;
      const hasty = await subject.open({ statementTimeoutMs: 500, maxConnections: 3 });
      await Promise.all([hasty.ping(), hasty.ping(), hasty.ping()]);
      const insert = 'insert into kept values (1)';
      const startedAt = performance.now();
      const paused = Promise.withResolvers<void>();
      const inCommit = expected(
        hasty.transaction(async (tx) => {
          await tx.query(insert);
          await server.pause();
          paused.resolve();
        }),
      );
      await paused.promise;
      const write = expected(hasty.query(insert));
      const ping = expected(hasty.ping());
      await expect(inCommit).rejects.toMatchObject(outcomeUnknown);
      await expect(write).rejects.toMatchObject(outcomeUnknown);
      await expect(ping).rejects.toMatchObject(timedOut);
      expect(performance.now() - startedAt).toBeLessThan(15_000);
    });

    it('in the BEGIN of a transaction with a shorter limit', async () => {
      const { server } = subject;
      const patient = await subject.open({ maxConnections: 1 });
      await patient.ping();
      await server.pause();
      const startedAt = performance.now();
      const work = patient.transaction((tx) => tx.query('select 1'), { statementTimeoutMs: 500 });
      await expect(work).rejects.toMatchObject(timedOut);
      expect(performance.now() - startedAt).toBeLessThan(20_000);
    });

    it('in close', async () => {
      const { server } = subject;
      const closing = await subject.open();
      await closing.ping();
      await closing.listen('channel', () => undefined);
      await server.pause();
      const startedAt = performance.now();
      await closing.close();
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    });
  });
});

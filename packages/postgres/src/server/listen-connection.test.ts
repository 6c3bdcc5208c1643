import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it, vi } from 'vitest';
import { useServer } from '../../test/server-under-test.js';

describeWithPostgres('the connection for notifications', () => {
  const subject = useServer();

  it('comes back when it was lost, and says so to each listener', async () => {
    const { db } = subject;
    const heard = vi.fn();
    const regained = vi.fn();
    const quiet = vi.fn();
    await db.listen('a', heard, regained);
    await db.listen('b', quiet, regained);
    await subject.endSessions();
    await vi.waitFor(() => expect(regained).toHaveBeenCalledTimes(2), { timeout: 10_000 });
    await db.query(`select pg_notify('a', 'again')`);
    await vi.waitFor(() => expect(heard.mock.calls).toEqual([['again']]));
    expect(quiet).not.toHaveBeenCalled();
  });

  it('comes back when the server was away for a while', async () => {
    const { db, server } = subject;
    const heard = vi.fn();
    const regained = vi.fn();
    await db.listen('a', heard, regained);
    await server.kill();
    await sleep(500);
    await expect(db.listen('b', heard)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(regained).not.toHaveBeenCalled();
    await server.start();
    await vi.waitFor(() => expect(regained).toHaveBeenCalledTimes(1), { timeout: 20_000 });
    await vi.waitFor(() => db.query(`select pg_notify('a', 'back'), pg_notify('b', 'no')`));
    await vi.waitFor(() => expect(heard.mock.calls).toEqual([['back']]));
  });

  it('does not come back for listeners that have left', async () => {
    const regained = vi.fn();
    const listener = await subject.db.listen('a', () => undefined, regained);
    await subject.endSessions();
    await listener.close();
    await sleep(500);
    expect(regained).not.toHaveBeenCalled();
  });

  it('is one for all channels, and not taken from the pool', async () => {
    const { db } = subject;
    for (const channel of ['a', 'b', 'c', 'c']) await db.listen(channel, () => undefined);
    const listening = await subject.asAdmin(
      `select pid from pg_stat_activity
       where application_name = 'posthaste' and query ilike 'listen%'`,
    );
    expect(listening).toHaveLength(1);
    expect(db.poolStats().total).toBeLessThanOrEqual(1);
  });

  it('rejects a listener while the server is away, and takes it later', async () => {
    await subject.server.stop();
    const early = await subject.open();
    const heard = vi.fn();
    await expect(early.listen('a', heard)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await subject.server.start();
    await early.listen('a', heard);
    await early.query(`select pg_notify('a', 'x')`);
    await vi.waitFor(() => expect(heard.mock.calls).toEqual([['x']]));
  });
});

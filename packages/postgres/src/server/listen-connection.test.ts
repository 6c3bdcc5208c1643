import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it, vi } from 'vitest';
import { useServer } from '../../test/server-under-test.js';

describeWithPostgres('the connection for notifications', () => {
  const subject = useServer();

  it('is opened again when it was lost, and notifies each listener', async () => {
    const { db } = subject;
    const onNotification = vi.fn();
    const onReconnect = vi.fn();
    const quiet = vi.fn();
    await db.listen('a', onNotification, onReconnect);
    await db.listen('b', quiet, onReconnect);
    await subject.endSessions();
    await vi.waitFor(() => expect(onReconnect).toHaveBeenCalledTimes(2), { timeout: 10_000 });
    await db.query(`select pg_notify('a', 'again')`);
    await vi.waitFor(() => expect(onNotification.mock.calls).toEqual([['again']]));
    expect(quiet).not.toHaveBeenCalled();
  });

  it('is opened again when the server was down for a while', async () => {
    const { db, server } = subject;
    const onNotification = vi.fn();
    const onReconnect = vi.fn();
    await db.listen('a', onNotification, onReconnect);
    await server.kill();
    await sleep(500);
    await expect(db.listen('b', onNotification)).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
    expect(onReconnect).not.toHaveBeenCalled();
    await server.start();
    await vi.waitFor(() => expect(onReconnect).toHaveBeenCalledTimes(1), { timeout: 20_000 });
    await vi.waitFor(() => db.query(`select pg_notify('a', 'back'), pg_notify('b', 'no')`));
    await vi.waitFor(() => expect(onNotification.mock.calls).toEqual([['back']]));
  });

  it('does not notify listeners that were closed', async () => {
    const onReconnect = vi.fn();
    const listener = await subject.db.listen('a', () => undefined, onReconnect);
    await subject.endSessions();
    await listener.close();
    await sleep(500);
    expect(onReconnect).not.toHaveBeenCalled();
  });

  it('is shared by all channels, and does not come from the pool', async () => {
    const { db } = subject;
    for (const channel of ['a', 'b', 'c', 'c']) await db.listen(channel, () => undefined);
    const listening = await subject.asAdmin(
      `select pid from pg_stat_activity
       where application_name = 'posthaste' and query ilike 'listen%'`,
    );
    expect(listening).toHaveLength(1);
    expect(db.poolStats().total).toBeLessThanOrEqual(1);
  });

  it('rejects a listener while the server is down, and accepts it later', async () => {
    await subject.server.stop();
    const early = await subject.open();
    const onNotification = vi.fn();
    await expect(early.listen('a', onNotification)).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
    await subject.server.start();
    await early.listen('a', onNotification);
    await early.query(`select pg_notify('a', 'x')`);
    await vi.waitFor(() => expect(onNotification.mock.calls).toEqual([['x']]));
  });
});

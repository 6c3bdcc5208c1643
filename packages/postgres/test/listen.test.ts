import { expect, it, vi } from 'vitest';
import { describeEngines, type Subject } from './engines.js';

describeEngines('listen', (subject: Subject) => {
  it('passes each notification to every listener of its channel', async () => {
    const { db } = subject;
    const first = vi.fn();
    const second = vi.fn();
    const other = vi.fn();
    const listeners = [
      await db.listen('news', first),
      await db.listen('news', second),
      await db.listen('Other "Channel"', other),
    ];
    await db.query(`select pg_notify('news', $1)`, ['one']);
    await db.transaction(async (tx) => {
      await tx.query(`select pg_notify('news', 'two')`);
      await tx.query(`select pg_notify('Other "Channel"', '')`);
    });
    await vi.waitFor(() => expect(other).toHaveBeenCalled());
    expect(first.mock.calls).toEqual([['one'], ['two']]);
    expect(second.mock.calls).toEqual([['one'], ['two']]);
    expect(other.mock.calls).toEqual([['']]);
    await Promise.all(listeners.map((listener) => listener.close()));
  });

  it('gets no notification of a transaction that was rolled back', async () => {
    const { db } = subject;
    const onNotification = vi.fn();
    const listener = await db.listen('rolled_back', onNotification);
    const outcome = db.transaction(async (tx) => {
      await tx.query(`select pg_notify('rolled_back', 'undone')`);
      throw new Error('no');
    });
    await expect(outcome).rejects.toThrow('no');
    await db.query(`select pg_notify('rolled_back', 'after')`);
    await vi.waitFor(() => expect(onNotification).toHaveBeenCalled());
    expect(onNotification.mock.calls).toEqual([['after']]);
    await listener.close();
  });

  it('stops when closed, while other listeners of the channel continue', async () => {
    const { db } = subject;
    const leaving = vi.fn();
    const staying = vi.fn();
    const listener = await db.listen('half', leaving);
    const stays = await db.listen('half', staying);
    await listener.close();
    await listener.close();
    await db.query(`select pg_notify('half', 'x')`);
    await vi.waitFor(() => expect(staying).toHaveBeenCalled());
    expect(leaving).not.toHaveBeenCalled();
    await stays.close();
    await db.query(`select pg_notify('half', 'y')`);
    await db.ping();
    expect(staying).toHaveBeenCalledTimes(1);
  });

  it('is not disturbed by a listener that throws', async () => {
    const { db } = subject;
    const calm = vi.fn();
    const listeners = [
      await db.listen('trouble', () => {
        throw new Error('listener failed');
      }),
      await db.listen('trouble', calm),
    ];
    await db.query(`select pg_notify('trouble', 'x')`);
    await vi.waitFor(() => expect(calm).toHaveBeenCalledWith('x'));
    await Promise.all(listeners.map((listener) => listener.close()));
  });
});

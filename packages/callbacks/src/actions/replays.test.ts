import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { accept, acceptOne, aroundTransactions, failed, work } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { findCallback } from '../lookup/read-store.js';
import { cancelCallback } from './callback-actions.js';
import type { Replay, ReplayFilter } from './replay.js';
import { stepReplay } from './replay-steps.js';
import { cancelReplay, createReplay, getReplay, listReplays } from './replays.js';

describeWithPostgres('replays', () => {
  const store = useEmptiedStore();
  const start = (filter: ReplayFilter, ratePerSecond = 10_000): Promise<Replay> =>
    createReplay(store.db, { within: 'all', filter, ratePerSecond });
  /** Moves the replays back in time, so that their rate permits more callbacks. */
  const pass = (seconds: number): Promise<unknown> =>
    store.db.query(
      `update callbacks.replay set due_at = due_at - $1::float8 * interval '1 s'
       where id in (select id from callbacks.replay for update skip locked)`,
      [seconds],
    );
  const run = async (maxCallbacks = 100): Promise<Replay[]> => {
    const steps: Replay[] = [];
    for (;;) {
      await pass(1);
      const step = await stepReplay(store.db, maxCallbacks);
      if (!step) return steps;
      steps.push(step);
    }
  };
  /** Makes failed callbacks in several queues. */
  const fail = async (count: number, queues = 3): Promise<string[]> => {
    const ids = await accept(
      store.db,
      ...Array.from({ length: count }, (_, i) => ({ queue: `q${i % queues}` })),
    );
    await work(store.db, failed);
    return ids;
  };

  it('requeues failed callbacks in the order of their queues, and counts its progress', async () => {
    const ids = await fail(25);
    const delivered = await acceptOne(store.db, { queue: 'q0' });
    await work(store.db);
    const { id } = await start({ state: 'failed' });
    const steps = await run(10);
    expect(steps.map(({ replayed, state }) => [replayed, state])).toEqual([
      [10, 'running'],
      [20, 'running'],
      [25, 'done'],
    ]);
    const done = await getReplay(store.db, id, 'all');
    expect(done).toMatchObject({ scanned: 25, replayed: 25, filter: { state: 'failed' } });
    expect(done.scannedUntil).toBeInstanceOf(Date);
    const order = await work(store.db);
    for (const queue of [0, 1, 2]) {
      const own = ids.filter((_, i) => i % 3 === queue);
      expect(order.filter((callback) => own.includes(callback))).toEqual(own);
    }
    expect(order).not.toContain(delivered);
  });

  it('covers only callbacks accepted before it, each once', async () => {
    const [first = ''] = await fail(1);
    await start({ state: 'failed' });
    await fail(1);
    await run();
    await work(store.db, failed);
    expect(await run()).toEqual([]);
    expect((await findCallback(store.db, first, 'all'))?.attempts).toHaveLength(2);
  });

  it('leaves out callbacks that are past their expiresAt or alive again', async () => {
    const expiring = await acceptOne(store.db, { expiresAt: new Date(Date.now() + 200) });
    await work(store.db, failed);
    await new Promise((resolve) => setTimeout(resolve, 250));
    await start({ state: 'failed' });
    expect(await run()).toMatchObject([{ state: 'done', scanned: 1, replayed: 0 }]);
    expect(await findCallback(store.db, expiring, 'all')).toMatchObject({ state: 'failed' });
  });

  it('filters as the list does, also by time', async () => {
    const wanted = await acceptOne(store.db, {
      application: 'shop',
      url: 'http://wanted.example',
      acceptedAt: new Date('2026-01-01T10:00:00Z'),
    });
    await acceptOne(store.db, {
      application: 'shop',
      acceptedAt: new Date('2026-01-01T10:00:00Z'),
    });
    await acceptOne(store.db, { application: 'shop', url: 'http://wanted.example' });
    await work(store.db, failed);
    const filter = {
      state: 'failed',
      application: 'shop',
      host: 'wanted.example',
      statusCode: 500,
      createdFrom: new Date('2026-01-01'),
      createdTo: new Date('2026-01-02'),
    } as const;
    expect((await start(filter)).filter).toEqual(filter);
    await run();
    expect(await work(store.db)).toEqual([wanted]);
  });

  it('replays cancelled and delivered callbacks when the filter says so', async () => {
    const cancelled = await acceptOne(store.db);
    await cancelCallback(store.db, cancelled, 'all');
    const delivered = await acceptOne(store.db);
    await work(store.db);
    await start({ state: 'cancelled' });
    await run();
    expect(await work(store.db)).toEqual([cancelled]);
    await start({ state: 'delivered' });
    await run();
    expect((await work(store.db)).sort()).toEqual([cancelled, delivered].sort());
  });

  it('does not exceed its rate', async () => {
    await fail(50);
    await start({ state: 'failed' }, 10);
    const replayed = async (): Promise<number> => {
      let last = 0;
      for (;;) {
        const step = await stepReplay(store.db, 100);
        if (!step) return last;
        last = step.replayed;
      }
    };
    const began = performance.now();
    expect(await replayed()).toBeLessThanOrEqual(2);
    await pass(0.5);
    expect(await replayed()).toBeLessThanOrEqual(7 + (performance.now() - began) / 100);
    await pass(3_600);
    expect(await replayed()).toBeLessThanOrEqual(18 + (performance.now() - began) / 100);
  });

  it('continues where it was after a step that was rolled back', async () => {
    const ids = await fail(30);
    await start({ state: 'failed' });
    await pass(1);
    await stepReplay(store.db, 10);
    // A step that does its work, but is not committed.
    const dying = aroundTransactions(store.db, async (tx, work) => {
      await work(tx);
      throw new Error('killed');
    });
    await pass(1);
    await expect(stepReplay(dying, 10)).rejects.toThrow('killed');
    expect((await run(10)).at(-1)).toMatchObject({ replayed: 30, state: 'done' });
    expect((await work(store.db)).sort()).toEqual(ids.sort());
  });

  it('requeues each callback once when many workers step it at the same time', async () => {
    const ids = await fail(120, 5);
    await start({ state: 'failed' });
    await start({ state: 'failed', application: '' });
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 15; i++) {
        await pass(1);
        await stepReplay(store.db, 7);
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    await run();
    const { items } = await listReplays(store.db, { within: 'all' }, {});
    expect(items.map(({ state }) => state)).toEqual(['done', 'done']);
    expect(items.reduce((sum, { replayed }) => sum + replayed, 0)).toBe(120);
    expect((await work(store.db)).sort()).toEqual(ids.sort());
  });

  it('takes turns with others, also of other applications', async () => {
    for (const application of ['a', 'b']) {
      await accept(store.db, ...Array.from({ length: 30 }, () => ({ application })));
    }
    await work(store.db, failed);
    for (let i = 0; i < 3; i++) await start({ state: 'failed', application: 'a' });
    await start({ state: 'failed', application: 'b' });
    const owners: (string | undefined)[] = [];
    for (let i = 0; i < 8; i++) {
      await pass(1);
      owners.push((await stepReplay(store.db, 2))?.filter.application);
    }
    expect(owners.filter((owner) => owner === 'b')).toHaveLength(4);
    expect(owners.filter((owner) => owner === 'a')).toHaveLength(4);
  });

  it('does not wait for one that finds nothing to replay', async () => {
    await accept(store.db, ...Array.from({ length: 2_500 }, () => ({ application: 'a' })));
    await acceptOne(store.db, { application: 'b' });
    await work(store.db, failed);
    await start({ state: 'failed', host: 'nowhere.example' });
    await start({ state: 'failed', application: 'b' });
    await pass(1);
    const [first, second] = [await stepReplay(store.db, 10), await stepReplay(store.db, 10)];
    expect([first?.filter.host, second?.filter.application]).toEqual(['nowhere.example', 'b']);
  });

  it('is refused while its application has as many as it may have', async () => {
    const create = (application?: string) =>
      createReplay(store.db, {
        within: 'all',
        filter: { state: 'failed', ...(application === undefined ? {} : { application }) },
        maxRunning: 2,
      });
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => create('a')));
    const made = all.filter((each) => each.status === 'fulfilled');
    expect(made).toHaveLength(2);
    await expect(create('a')).rejects.toMatchObject({
      code: 'REPLAY_LIMIT_REACHED',
      message: expect.stringContaining("application 'a': 2 replays run, and the limit"),
    });
    for (const other of ['b', '', undefined]) await create(other);
    await cancelReplay(store.db, made[0]?.value.id ?? '', 'all');
    await create('a');
  });

  it('stops when it is cancelled, and shows that state', async () => {
    await fail(20);
    const { id } = await start({ state: 'failed' });
    await pass(1);
    await stepReplay(store.db, 5);
    expect(await cancelReplay(store.db, id, 'all')).toMatchObject({
      state: 'cancelled',
      replayed: 5,
    });
    expect(await run()).toEqual([]);
    expect(await cancelReplay(store.db, id, 'all')).toMatchObject({ state: 'cancelled' });
    expect(await work(store.db)).toHaveLength(5);
  });

  it('lists newest first, page by page', async () => {
    const ids = [];
    for (let i = 0; i < 3; i++) ids.unshift((await start({ state: 'failed' })).id);
    const first = await listReplays(store.db, { within: 'all' }, { limit: 2 });
    const second = await listReplays(store.db, { within: 'all' }, { limit: 2, cursor: first.next });
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
    expect(second.next).toBeUndefined();
  });

  it('refuses a state that is not an ending, a rate out of range and an unknown id', async () => {
    const invalid = { code: 'REQUEST_INVALID' };
    await expect(start({ state: 'expired' as 'failed' })).rejects.toMatchObject(invalid);
    await expect(start({} as ReplayFilter)).rejects.toMatchObject(invalid);
    await expect(start({ state: 'failed' }, 0)).rejects.toMatchObject(invalid);
    for (const id of ['junk', crypto.randomUUID()]) {
      await expect(getReplay(store.db, id, 'all')).rejects.toMatchObject({
        code: 'REPLAY_NOT_FOUND',
      });
      await expect(cancelReplay(store.db, id, 'all')).rejects.toMatchObject({
        code: 'REPLAY_NOT_FOUND',
      });
    }
  });
});

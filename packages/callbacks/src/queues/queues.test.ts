import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { accept, acceptOne, claim, failed, record, retryLater } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import type { Delivery } from '../delivery/delivery.js';
import { pauseQueue, setQueuePolicy } from './queue-control.js';
import {
  getQueue,
  listQueues,
  type QueueFilter,
  type QueueState,
  type QueueView,
} from './queues.js';

describeWithPostgres('queues', () => {
  const store = useEmptiedStore();

  /** Makes one queue of each state. */
  async function fillStates(application: string): Promise<void> {
    const queue = (name: string): { application: string; queue: string } => ({
      application,
      queue: name,
    });
    const own = async (): Promise<Delivery[]> =>
      (await claim(store.db)).filter((delivery) => delivery.application === application);
    await setQueuePolicy(store.db, queue('parked'), 'park');
    await accept(store.db, queue('parked'), queue('parked'));
    await record(store.db, await own(), failed);
    await accept(store.db, queue('blocked'));
    await record(store.db, await own(), retryLater);
    await accept(store.db, queue('active'), queue('active'), queue('active'));
    await pauseQueue(store.db, queue('paused'));
  }

  async function listAll(filter: Partial<QueueFilter>, limit: number): Promise<QueueView[]> {
    const all: QueueView[] = [];
    let cursor: string | undefined;
    do {
      const { items, next } = await listQueues(
        store.db,
        { within: 'all', ...filter },
        { limit, cursor },
      );
      all.push(...items);
      cursor = next;
    } while (cursor !== undefined);
    return all;
  }

  it('shows depth, head and state of a queue', async () => {
    const id = await acceptOne(store.db, { application: 'shop', queue: 'orders' });
    await accept(store.db, { application: 'shop', queue: 'orders' });
    const view = await getQueue(store.db, { application: 'shop', queue: 'orders' });
    expect(view).toMatchObject({
      state: 'active',
      paused: false,
      onFailure: 'skip',
      depth: 2,
      depthCapped: false,
      head: { id, failures: 0, hold: undefined },
    });
    expect(view.head?.ageMs).toBeGreaterThanOrEqual(0);
    expect(view.head?.dueAt).toBeInstanceOf(Date);
    await claim(store.db);
    const leased = await getQueue(store.db, { application: 'shop', queue: 'orders' });
    expect(leased.head?.dueAt).toBeUndefined();
  });

  it('shows an empty queue only if it has settings', async () => {
    await setQueuePolicy(store.db, { application: 'shop', queue: 'orders' }, 'park');
    expect(await getQueue(store.db, { application: 'shop', queue: 'orders' })).toMatchObject({
      state: 'active',
      onFailure: 'park',
      depth: 0,
      head: undefined,
    });
    await setQueuePolicy(store.db, { application: 'shop', queue: 'orders' }, 'skip');
    const missing = getQueue(store.db, { application: 'shop', queue: 'orders' });
    await expect(missing).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    const impossible = getQueue(store.db, { application: 'shop', queue: 'a\0b' });
    await expect(impossible).rejects.toMatchObject({ code: 'CALLBACK_INVALID' });
  });

  it('counts at most 10,000 callbacks', async () => {
    await accept(store.db, ...Array.from({ length: 10_000 }, () => ({ queue: 'deep' })));
    const deep = { application: '', queue: 'deep' };
    expect(await getQueue(store.db, deep)).toMatchObject({ depth: 10_000, depthCapped: false });
    await accept(store.db, deep, deep);
    expect(await getQueue(store.db, deep)).toMatchObject({ depth: 10_000, depthCapped: true });
  });

  it('lists by state and application, page by page', async () => {
    await fillStates('shop');
    await fillStates('bank');
    await accept(store.db, { application: 'shop' });
    const states: QueueState[] = ['active', 'blocked', 'parked', 'paused'];
    expect((await listAll({}, 3)).map(({ application, state }) => [application, state])).toEqual([
      ...states.map((state) => ['bank', state]),
      ...states.map((state) => ['shop', state]),
    ]);
    expect((await listAll({ application: 'shop' }, 3)).map(({ queue }) => queue)).toEqual(states);
    for (const state of states) {
      const found = await listAll({ state }, 1);
      expect(found.map(({ application, queue }) => [application, queue])).toEqual([
        ['bank', state],
        ['shop', state],
      ]);
      expect(await listAll({ state, application: 'bank' }, 10)).toHaveLength(1);
    }
    expect(await listAll({ application: 'bakery' }, 10)).toEqual([]);
  });

  it('refuses a limit over 100, and a cursor that no page has returned', async () => {
    await expect(listQueues(store.db, { within: 'all' }, { limit: 101 })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
    for (const cursor of ['', 'junk', Buffer.from('["a","\\u0000"]').toString('base64url')]) {
      await expect(listQueues(store.db, { within: 'all' }, { cursor })).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      });
    }
  });
});

import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import {
  accept,
  aroundTransactions,
  claim,
  delivered,
  failed,
  record,
  retryLater,
  work,
} from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { storeCallbacks } from '../intake/intake-store.js';
import { findCallback } from '../lookup/read-store.js';
import { toCallbackRequest } from '../request/request.js';
import {
  pauseQueue,
  reconcileQueues,
  resumeQueue,
  setQueuePolicy,
  unblockQueue,
} from './queue-control.js';
import { getQueue } from './queues.js';

const orders = { application: 'shop', queue: 'orders' };

describeWithPostgres('queue control', () => {
  const store = useEmptiedStore();
  const stateOf = async (): Promise<string> => (await getQueue(store.db, orders)).state;
  const refused = (mode: 'retry' | 'skip', message: string, headId?: string): Promise<void> =>
    expect(unblockQueue(store.db, { ...orders, mode, headId })).rejects.toThrow(message);

  /** Parks a queue: its head has failed for good, and one callback waits behind it. */
  async function park(): Promise<[head: string, next: string]> {
    await setQueuePolicy(store.db, orders, 'park');
    const [head = '', next = ''] = await accept(store.db, orders, orders);
    await record(store.db, await claim(store.db), failed);
    return [head, next];
  }

  it('holds a head that is not leased, and releases it again', async () => {
    const ids = await accept(store.db, orders, orders);
    await pauseQueue(store.db, orders);
    await pauseQueue(store.db, orders);
    expect(await stateOf()).toBe('paused');
    expect(await claim(store.db)).toEqual([]);
    await resumeQueue(store.db, orders);
    await resumeQueue(store.db, orders);
    expect(await work(store.db)).toEqual(ids);
  });

  it('stops after the running attempt', async () => {
    const [first, second] = await accept(store.db, orders, orders);
    const deliveries = await claim(store.db);
    await pauseQueue(store.db, orders);
    await record(store.db, deliveries, delivered);
    expect(await findCallback(store.db, first ?? '', 'all')).toMatchObject({ state: 'delivered' });
    expect(await findCallback(store.db, second ?? '', 'all')).toMatchObject({ state: 'held' });
    await resumeQueue(store.db, orders);
    expect(await work(store.db)).toEqual([second]);
  });

  it('lets a result see a pause that commits while it is being recorded', async () => {
    const [, second] = await accept(store.db, orders, orders);
    const deliveries = await claim(store.db);
    let recorded: Promise<unknown> = Promise.resolve();
    const slow = aroundTransactions(store.db, async (tx, work) => {
      const result = await work(tx);
      recorded = record(store.db, deliveries, delivered);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return result;
    });
    await pauseQueue(slow, orders);
    await recorded;
    expect(await findCallback(store.db, second ?? '', 'all')).toMatchObject({ state: 'held' });
    expect(await reconcileQueues(store.db)).toEqual({ held: 0, released: 0 });
  });

  it('keeps the due time of a retry during a pause', async () => {
    await accept(store.db, orders);
    await record(store.db, await claim(store.db), retryLater);
    await pauseQueue(store.db, orders);
    await resumeQueue(store.db, orders);
    expect(await stateOf()).toBe('blocked');
  });

  it('refuses to pause or resume a queue that must exist and does not', async () => {
    for (const change of [pauseQueue, resumeQueue]) {
      await expect(change(store.db, { ...orders, mustExist: true })).rejects.toMatchObject({
        code: 'QUEUE_NOT_FOUND',
        message: expect.stringContaining('does not exist'),
      });
    }
    await expect(getQueue(store.db, orders)).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    await accept(store.db, orders);
    await pauseQueue(store.db, { ...orders, mustExist: true });
    expect(await stateOf()).toBe('paused');
  });

  it('pauses an empty queue, and refuses an invalid name', async () => {
    await pauseQueue(store.db, orders);
    const [id] = await accept(store.db, orders);
    expect(await findCallback(store.db, id ?? '', 'all')).toMatchObject({
      state: 'held',
      hold: 'paused',
    });
    for (const queue of ['', 'a\nb', 'x'.repeat(257)]) {
      const pausing = pauseQueue(store.db, { application: 'shop', queue });
      await expect(pausing).rejects.toMatchObject({ code: 'CALLBACK_INVALID' });
    }
  });

  it('does not store settings that are the default', async () => {
    await pauseQueue(store.db, orders);
    await setQueuePolicy(store.db, orders, 'park');
    await resumeQueue(store.db, orders);
    expect(await getQueue(store.db, orders)).toMatchObject({ onFailure: 'park' });
    await setQueuePolicy(store.db, orders, 'skip');
    await expect(getQueue(store.db, orders)).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  });

  it('retries a parked head, whose policy starts again', async () => {
    const [head, next] = await park();
    expect(await stateOf()).toBe('parked');
    expect(await claim(store.db)).toEqual([]);
    expect(await unblockQueue(store.db, { ...orders, mode: 'retry' })).toBe(head);
    const deliveries = await claim(store.db);
    expect(deliveries).toMatchObject([{ callbackId: head, failures: 0 }]);
    await record(store.db, deliveries, delivered);
    expect(await work(store.db)).toEqual([next]);
    expect(await findCallback(store.db, head, 'all')).toMatchObject({
      state: 'delivered',
      attempts: [{ statusCode: 500 }, { statusCode: 200 }],
    });
  });

  it('skips a parked head, which keeps its ending', async () => {
    const [head, next] = await park();
    await unblockQueue(store.db, { ...orders, mode: 'skip', headId: head });
    expect(await findCallback(store.db, head, 'all')).toMatchObject({ state: 'failed' });
    expect(await work(store.db)).toEqual([next]);
  });

  it('skips a head that waits for a retry, which ends as cancelled', async () => {
    const [head = '', next] = await accept(store.db, orders, orders);
    await record(store.db, await claim(store.db), retryLater);
    expect(await stateOf()).toBe('blocked');
    await unblockQueue(store.db, { ...orders, mode: 'skip' });
    expect(await findCallback(store.db, head, 'all')).toMatchObject({ state: 'cancelled' });
    expect(await work(store.db)).toEqual([next]);
  });

  it('retries a head that waits for a retry now, and keeps its count of failures', async () => {
    await accept(store.db, orders);
    await record(store.db, await claim(store.db), retryLater);
    await unblockQueue(store.db, { ...orders, mode: 'retry' });
    expect(await claim(store.db)).toMatchObject([{ failures: 1 }]);
  });

  it('refuses to unblock a head that does not block, or that a retry cannot help', async () => {
    const missing = unblockQueue(store.db, { ...orders, mode: 'skip' });
    await expect(missing).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    const [head] = await accept(store.db, orders, orders);
    await refused('skip', 'its head is due');
    const deliveries = await claim(store.db);
    await refused('retry', 'is being attempted now');
    await record(store.db, deliveries, retryLater);
    await refused('skip', 'has another head by now', 'f0000000-0000-7000-8000-000000000000');
    await pauseQueue(store.db, orders);
    await refused('retry', 'is paused');
    expect(await unblockQueue(store.db, { ...orders, mode: 'skip' })).toBe(head);
    expect(await claim(store.db)).toEqual([]);
  });

  it('refuses to retry a parked head that is past its expiresAt', async () => {
    await setQueuePolicy(store.db, orders, 'park');
    await accept(store.db, { ...orders, expiresAt: new Date(Date.now() + 200) });
    await new Promise((resolve) => setTimeout(resolve, 250));
    await record(store.db, await claim(store.db), { kind: 'ended', ending: 'expired' });
    await refused('retry', 'is past its expiresAt');
    await unblockQueue(store.db, { ...orders, mode: 'skip' });
  });

  it('unblocks once when several callers unblock at the same time while workers deliver', async () => {
    for (let round = 0; round < 15; round++) {
      const [head, next] = await park();
      const modes = ['skip', 'retry', 'skip', 'retry'] as const;
      const calls = modes.map((mode) => unblockQueue(store.db, { ...orders, mode, headId: head }));
      const [settled] = await Promise.all([Promise.allSettled(calls), work(store.db)]);
      const won = settled.filter(({ status }) => status === 'fulfilled');
      expect(won).toHaveLength(1);
      await work(store.db);
      expect(await findCallback(store.db, next, 'all')).toMatchObject({ state: 'delivered' });
      await setQueuePolicy(store.db, orders, 'skip');
    }
  });

  it('repairs a pause or a resume that intake did not see', async () => {
    const request = toCallbackRequest(
      { url: 'http://example.com', ...orders },
      { defaultTimeoutMs: 1_000, maxTimeoutMs: 1_000, urlFault: () => undefined },
    );
    for (const change of [pauseQueue, resumeQueue]) {
      // Intake has run its statement, but not committed: nobody else can see the head that it has
      // inserted.
      await store.db.transaction(async (tx) => {
        const id = crypto.randomUUID();
        await storeCallbacks(tx, [{ id, request, idempotency: undefined }], false);
        await change(store.db, orders);
      });
      const mended = change === pauseQueue ? { held: 1, released: 0 } : { held: 0, released: 1 };
      expect(await reconcileQueues(store.db)).toEqual(mended);
      expect(await reconcileQueues(store.db)).toEqual({ held: 0, released: 0 });
      expect(await claim(store.db)).toHaveLength(change === pauseQueue ? 0 : 1);
      await store.db.query('truncate callbacks.head, callbacks.request');
    }
  });

  it('keeps heads and pauses consistent while workers and intake are busy', async () => {
    let open = true;
    const worker = async (): Promise<void> => {
      while (open) await work(store.db);
    };
    const intake = async (): Promise<void> => {
      while (open) await accept(store.db, orders, { ...orders, queue: 'others' });
    };
    const tasks = [worker(), worker(), intake()];
    for (let i = 0; i < 30; i++) {
      await pauseQueue(store.db, orders);
      await reconcileQueues(store.db);
      await resumeQueue(store.db, orders);
    }
    await pauseQueue(store.db, orders);
    open = false;
    await Promise.all(tasks);
    await reconcileQueues(store.db);
    await accept(store.db, orders);
    await work(store.db);
    expect(await getQueue(store.db, orders)).toMatchObject({
      state: 'paused',
      head: { hold: 'paused' },
    });
    await resumeQueue(store.db, orders);
    await reconcileQueues(store.db);
    await work(store.db);
    await expect(getQueue(store.db, orders)).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  });
});

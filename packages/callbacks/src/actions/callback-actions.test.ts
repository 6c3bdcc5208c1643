import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import {
  accept,
  acceptOne,
  claim,
  delivered,
  failed,
  findFaults,
  record,
  retryLater,
  work,
} from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { promoteDue } from '../dispatch/due-store.js';
import { findCallback } from '../lookup/read-store.js';
import { pauseQueue, setQueuePolicy } from '../queues/queue-control.js';
import { cancelCallback, replayCallback, retryNow } from './callback-actions.js';

describeWithPostgres('actions on a callback', () => {
  const store = useEmptiedStore();
  const stateOf = async (id: string): Promise<string | undefined> =>
    (await findCallback(store.db, id, 'all'))?.state;
  const outcomes = async (calls: readonly Promise<unknown>[]): Promise<string[]> =>
    (await Promise.allSettled(calls)).map((call) =>
      call.status === 'fulfilled' ? 'ok' : (call.reason as { code: string }).code,
    );

  it('cancels a callback that waits behind the head', async () => {
    const [first, second, third] = await accept(
      store.db,
      ...[1, 2, 3].map(() => ({ queue: 'orders' })),
    );
    expect(await cancelCallback(store.db, second ?? '', 'all')).toBe('cancelled');
    expect(await stateOf(second ?? '')).toBe('cancelled');
    expect(await work(store.db)).toEqual([first, third]);
  });

  it('cancels a head that is not leased, and its queue moves on', async () => {
    const [first, second] = await accept(store.db, { queue: 'orders' }, { queue: 'orders' });
    await record(store.db, await claim(store.db), retryLater);
    expect(await cancelCallback(store.db, first ?? '', 'all')).toBe('cancelled');
    const view = await findCallback(store.db, first ?? '', 'all');
    expect(view).toMatchObject({ state: 'cancelled', attempts: [{ statusCode: 500 }] });
    expect(view?.leases).toHaveLength(1);
    expect(await work(store.db)).toEqual([second]);
  });

  it('does not cancel a head that has failed and parked its queue', async () => {
    await setQueuePolicy(store.db, { application: '', queue: 'orders' }, 'park');
    const [first] = await accept(store.db, { queue: 'orders' }, { queue: 'orders' });
    await record(store.db, await claim(store.db), failed);
    const refused = cancelCallback(store.db, first ?? '', 'all');
    await expect(refused).rejects.toMatchObject({ code: 'CALLBACK_STATE' });
    const view = await findCallback(store.db, first ?? '', 'all');
    expect(view).toMatchObject({ state: 'held', hold: 'parked' });
  });

  it('holds the next callback when the queue is paused', async () => {
    const [first, second] = await accept(store.db, { queue: 'orders' }, { queue: 'orders' });
    await pauseQueue(store.db, { application: '', queue: 'orders' });
    await cancelCallback(store.db, first ?? '', 'all');
    expect(await findCallback(store.db, second ?? '', 'all')).toMatchObject({
      state: 'held',
      hold: 'paused',
    });
    expect(await claim(store.db)).toEqual([]);
  });

  it('makes a running attempt the last one', async () => {
    const id = await acceptOne(store.db);
    const deliveries = await claim(store.db);
    expect(await cancelCallback(store.db, id, 'all')).toBe('cancelling');
    expect(await findCallback(store.db, id, 'all')).toMatchObject({
      state: 'leased',
      cancelling: true,
    });
    await record(store.db, deliveries, retryLater);
    expect(await stateOf(id)).toBe('cancelled');
  });

  it('leaves a callback delivered if its last attempt succeeds after the cancel', async () => {
    const id = await acceptOne(store.db, { queue: 'orders' });
    const deliveries = await claim(store.db);
    await cancelCallback(store.db, id, 'all');
    await record(store.db, deliveries, delivered);
    expect(await stateOf(id)).toBe('delivered');
  });

  it('refuses to cancel a callback that has ended or does not exist', async () => {
    const id = await acceptOne(store.db);
    await work(store.db);
    await expect(cancelCallback(store.db, id, 'all')).rejects.toMatchObject({
      code: 'CALLBACK_STATE',
      details: { state: 'delivered' },
    });
    await expect(cancelCallback(store.db, 'nothing', 'all')).rejects.toMatchObject({
      code: 'CALLBACK_NOT_FOUND',
    });
  });

  it('cancels while workers record results, and loses no callback', async () => {
    for (let round = 0; round < 25; round++) {
      const ids = await accept(
        store.db,
        ...Array.from({ length: 12 }, (_, i) => ({
          queue: `q${i % 3}`,
          application: `round ${round}`,
        })),
      );
      const deliveries = await claim(store.db);
      const cancels = outcomes(ids.slice(0, 9).map((id) => cancelCallback(store.db, id, 'all')));
      const records = Promise.all(
        deliveries.map((delivery, i) =>
          record(store.db, [delivery], [delivered, retryLater][i % 2] ?? failed),
        ),
      );
      const unexpected = (await cancels).filter(
        (code) => code !== 'ok' && code !== 'CALLBACK_STATE',
      );
      expect(unexpected).toEqual([]);
      await records;
      expect(await findFaults(store.db)).toEqual([]);
      await work(store.db);
    }
  });

  it('makes a callback that is scheduled for later due now', async () => {
    const id = await acceptOne(store.db, { deliverAfter: new Date(Date.now() + 3_600_000) });
    expect(await claim(store.db)).toEqual([]);
    await retryNow(store.db, id, 'all');
    await record(store.db, await claim(store.db), retryLater);
    await retryNow(store.db, id, 'all');
    expect(await claim(store.db)).toMatchObject([{ callbackId: id, failures: 1 }]);
  });

  it('refuses to retry a callback that is not scheduled for later', async () => {
    const [head, waiting] = await accept(store.db, { queue: 'orders' }, { queue: 'orders' });
    const refused = (id = ''): Promise<void> =>
      expect(retryNow(store.db, id, 'all')).rejects.toMatchObject({ code: 'CALLBACK_STATE' });
    await refused(waiting);
    const deliveries = await claim(store.db);
    await refused(head);
    await record(store.db, deliveries, delivered);
    await refused(head);
    await pauseQueue(store.db, { application: '', queue: 'orders' });
    await refused(waiting);
  });

  it('replays with the same id, at the end of the queue, and continues the steps', async () => {
    const [first, second, third] = await accept(
      store.db,
      { queue: 'orders' },
      { queue: 'orders' },
      { queue: 'orders' },
    );
    await record(store.db, await claim(store.db), failed);
    await replayCallback(store.db, first ?? '', 'all');
    expect(await stateOf(first ?? '')).toBe('waiting');
    expect(await work(store.db)).toEqual([second, third, first]);
    const view = await findCallback(store.db, first ?? '', 'all');
    expect(view).toMatchObject({ state: 'delivered' });
    expect(view?.attempts.map(({ step, statusCode }) => [step, statusCode])).toEqual([
      [1, 500],
      [2, 200],
    ]);
  });

  it('starts the retry policy again with a replay', async () => {
    const id = await acceptOne(store.db);
    await record(store.db, await claim(store.db), retryLater);
    await retryNow(store.db, id, 'all');
    await record(store.db, await claim(store.db), failed);
    await replayCallback(store.db, id, 'all');
    expect(await claim(store.db)).toMatchObject([{ callbackId: id, failures: 0, unknowns: 0 }]);
  });

  it('replays a callback that was cancelled while it waited', async () => {
    const [, second] = await accept(store.db, { queue: 'orders' }, { queue: 'orders' });
    await cancelCallback(store.db, second ?? '', 'all');
    await replayCallback(store.db, second ?? '', 'all');
    expect(await work(store.db)).toHaveLength(2);
    await replayCallback(store.db, second ?? '', 'all');
    expect(await work(store.db)).toEqual([second]);
  });

  it('refuses to replay a callback that has not ended or is past its expiresAt', async () => {
    const expiring = await acceptOne(store.db, { expiresAt: new Date(Date.now() + 300) });
    await work(store.db);
    const alive = await acceptOne(store.db);
    await expect(replayCallback(store.db, alive, 'all')).rejects.toMatchObject({
      code: 'CALLBACK_STATE',
    });
    await new Promise((resolve) => setTimeout(resolve, 400));
    await expect(replayCallback(store.db, expiring, 'all')).rejects.toThrow(
      'is past its expiresAt',
    );
  });

  it('replays once when several callers replay at the same time', async () => {
    for (const queue of ['', 'orders']) {
      const id = await acceptOne(store.db, { queue });
      await work(store.db, failed);
      const calls = Array.from({ length: 8 }, () => replayCallback(store.db, id, 'all'));
      expect((await outcomes(calls)).filter((outcome) => outcome === 'ok')).toHaveLength(1);
      expect(await work(store.db)).toEqual([id]);
    }
  });

  it('replays while workers and intake use the same queue, and loses no callback', async () => {
    const ids = await accept(store.db, ...Array.from({ length: 20 }, () => ({ queue: 'orders' })));
    await work(store.db, failed);
    let open = true;
    const worker = async (): Promise<void> => {
      while (open) await work(store.db);
    };
    const intake = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) await accept(store.db, { queue: 'orders' }, { queue: 'orders' });
    };
    const replays = Promise.all(ids.map((id) => replayCallback(store.db, id, 'all')));
    const workers = [worker(), worker()];
    await Promise.all([replays, intake()]);
    open = false;
    await Promise.all(workers);
    await work(store.db);
    const { rows } = await store.db.query<{ delivered: number }>(
      `select count(distinct callback_id)::int as delivered from callbacks.history
       where ending = 'delivered'`,
    );
    expect(rows).toEqual([{ delivered: 100 }]);
  });

  it('cancels a callback whose lease was lost', async () => {
    const id = await acceptOne(store.db);
    await claim(store.db, 1, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await promoteDue(store.db, 10);
    expect(await cancelCallback(store.db, id, 'all')).toBe('cancelled');
    expect(await findCallback(store.db, id, 'all')).toMatchObject({
      state: 'cancelled',
      attempts: [{ statusCode: 0, reason: 'unknown' }],
      leases: [{ completedAt: undefined }],
    });
  });
});

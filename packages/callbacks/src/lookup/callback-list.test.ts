import { idTime } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import {
  accept,
  acceptOne,
  claim,
  delivered,
  failed,
  record,
  recordAnswer,
  retryLater,
  work,
} from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { cancelCallback, replayCallback } from '../actions/callback-actions.js';
import { pauseQueue, setQueuePolicy } from '../queues/queue-control.js';
import type { CallbackFilter } from './callback-filter.js';
import { listCallbacks } from './read-store.js';

describeWithPostgres('list of callbacks', () => {
  const store = useEmptiedStore();
  const list = async (filter: CallbackFilter, limit = 500): Promise<string[]> => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const { items, next } = await listCallbacks(
        store.db,
        { ...filter, within: 'all' },
        { limit, cursor },
      );
      ids.push(...items.map(({ id }) => id));
      cursor = next;
    } while (cursor !== undefined);
    return ids;
  };

  it('lists newest first, page by page, and no callback twice while others arrive', async () => {
    const before = await accept(store.db, ...Array.from({ length: 25 }, () => ({})));
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const { items, next } = await listCallbacks(
        store.db,
        { within: 'all' },
        { limit: 7, cursor },
      );
      seen.push(...items.map(({ id }) => id));
      cursor = next;
      await accept(store.db, {}, {});
      await work(store.db);
    } while (cursor !== undefined);
    expect(seen).toEqual(before.toReversed());
  });

  it('ends exactly at the last item', async () => {
    await accept(store.db, {}, {}, {}, {});
    const first = await listCallbacks(store.db, { within: 'all' }, { limit: 2 });
    const second = await listCallbacks(
      store.db,
      { within: 'all' },
      { limit: 2, cursor: first.next },
    );
    expect(second.items).toHaveLength(2);
    expect(second.next).toBeUndefined();
  });

  it('lists by every state', async () => {
    const parked = { application: 'shop', queue: 'parked' };
    await setQueuePolicy(store.db, parked, 'park');
    const held = await acceptOne(store.db, parked);
    const failing = await acceptOne(store.db);
    const leased = await acceptOne(store.db, { queue: 'leased' });
    const deliveries = await claim(store.db);
    await record(
      store.db,
      deliveries.filter(({ callbackId }) => callbackId !== leased),
      failed,
    );
    const cancelled = await acceptOne(store.db);
    await cancelCallback(store.db, cancelled, 'all');
    const expired = await acceptOne(store.db);
    await work(store.db, { kind: 'ended', ending: 'expired' });
    const done = await acceptOne(store.db);
    await work(store.db);
    const waiting = await acceptOne(store.db, { queue: 'leased' });
    const pending = await acceptOne(store.db, { queue: 'other', application: 'bank' });
    const expected = {
      held,
      failed: failing,
      leased,
      cancelled,
      expired,
      delivered: done,
      waiting,
      pending,
    };
    for (const [state, id] of Object.entries(expected)) {
      expect([state, await list({ state: state as keyof typeof expected }, 1)]).toEqual([
        state,
        [id],
      ]);
    }
    expect(await list({ state: 'pending', application: 'bank', queue: 'other' })).toEqual([
      pending,
    ]);
    expect(await list({ state: 'held', ...parked })).toEqual([held]);
    expect(await list({ state: 'waiting', application: '', queue: 'leased' })).toEqual([waiting]);
  });

  it('lists a callback that failed twice once, and not as failed while it is replayed', async () => {
    const id = await acceptOne(store.db);
    await work(store.db, failed);
    await replayCallback(store.db, id, 'all');
    expect(await list({ state: 'failed' })).toEqual([]);
    expect(await list({ state: 'pending' })).toEqual([id]);
    await work(store.db, failed);
    expect(await list({ state: 'failed' })).toEqual([id]);
    await replayCallback(store.db, id, 'all');
    await work(store.db, delivered);
    expect(await list({ state: 'failed' })).toEqual([]);
    expect(await list({ state: 'delivered' })).toEqual([id]);
  });

  it('filters by application, queue, endpoint, host, status code and time', async () => {
    const endpointId = crypto.randomUUID();
    const old = await acceptOne(store.db, { acceptedAt: new Date('2026-01-01T12:00:00Z') });
    const [a, b, c, d] = await accept(
      store.db,
      { application: 'shop', queue: 'orders' },
      { application: 'shop', url: 'http://Other.example:8080/x' },
      { application: 'bank', queue: 'orders', endpointId },
      { application: 'bank', url: 'https://user:secret@other.example/y' },
    );
    const [delivery] = (await claim(store.db)).filter(({ callbackId }) => callbackId === b);
    if (!delivery) throw new Error('the callback is not due');
    await recordAnswer(store.db, [delivery], { verdict: retryLater, statusCode: 503 });
    expect(await list({ application: 'shop' })).toEqual([b, a]);
    expect(await list({ application: 'shop', queue: 'orders' })).toEqual([a]);
    expect(await list({ queue: 'orders' })).toEqual([c, a]);
    expect(await list({ endpointId })).toEqual([c]);
    expect(await list({ endpointId: endpointId.replaceAll('-', '').toUpperCase() })).toEqual([c]);
    expect(await list({ host: 'other.EXAMPLE' })).toEqual([d, b]);
    expect(await list({ host: 'other.example:8080' })).toEqual([b]);
    expect(await list({ statusCode: 503 })).toEqual([b]);
    expect(await list({ statusCode: 0 })).toEqual([]);
    expect(await list({ createdTo: new Date('2026-01-02') })).toEqual([old]);
    expect(
      await list({
        createdFrom: new Date('2026-01-01T12:00:00Z'),
        createdTo: new Date('2026-01-01T12:00:00.001Z'),
      }),
    ).toEqual([old]);
    expect(await list({ createdFrom: idTime(a ?? ''), application: 'bank' })).toEqual([d, c]);
  });

  it('scans a limited number of rows per page, and continues on the next page', async () => {
    const wanted = await acceptOne(store.db, { url: 'http://wanted.example' });
    for (let i = 0; i < 3; i++)
      await accept(store.db, ...Array.from({ length: 1_000 }, () => ({})));
    const first = await listCallbacks(
      store.db,
      { within: 'all', host: 'wanted.example' },
      { limit: 10 },
    );
    expect(first.items).toEqual([]);
    const second = await listCallbacks(
      store.db,
      { within: 'all', host: 'wanted.example' },
      { limit: 10, cursor: first.next },
    );
    expect(second.items.map(({ id }) => id)).toEqual([wanted]);
    expect(second.next).toBeUndefined();
  });

  it('refuses invalid cursors, limits and filters', async () => {
    const refused = (filter: CallbackFilter, page: object): Promise<void> =>
      expect(listCallbacks(store.db, { ...filter, within: 'all' }, page)).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      });
    await refused({}, { cursor: 'junk' });
    await refused({}, { limit: 0 });
    await refused({}, { limit: 501 });
    await refused({}, { limit: 1.5 });
    await refused({ endpointId: 'junk' }, {});
    await refused({ application: 'a\0' }, {});
    await refused({ createdFrom: new Date(Number.NaN) }, {});
  });

  it('shows the summary of a callback', async () => {
    const id = await acceptOne(store.db, { queue: 'orders', method: 'GET' });
    await recordAnswer(store.db, await claim(store.db), { verdict: retryLater, statusCode: 503 });
    await pauseQueue(store.db, { application: '', queue: 'orders' });
    const { items } = await listCallbacks(store.db, { within: 'all' }, {});
    expect(items).toEqual([
      {
        id,
        application: '',
        queue: 'orders',
        endpointId: undefined,
        state: 'held',
        hold: 'paused',
        method: 'GET',
        url: 'http://example.com/hook',
        createdAt: expect.any(Date),
        dueAt: expect.any(Date),
        endedAt: undefined,
        lastAttempt: {
          startedAtMs: expect.any(Number),
          durationNs: 1_000_000n,
          statusCode: 503,
          reason: 'status',
        },
      },
    ]);
  });
});

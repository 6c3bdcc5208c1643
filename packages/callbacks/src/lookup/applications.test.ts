import type { Applications } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { expectHidden, readAll } from '../../test/applications.js';
import { accept, acceptOne, claim, failed, record, work } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { cancelCallback, replayCallback, retryNow } from '../actions/callback-actions.js';
import { stepReplay } from '../actions/replay-steps.js';
import { cancelReplay, createReplay, getReplay, listReplays } from '../actions/replays.js';
import type { PageRequest } from '../page.js';
import { pauseQueue, setQueuePolicy } from '../queues/queue-control.js';
import { listQueues } from '../queues/queues.js';
import type { CallbackFilter } from './callback-filter.js';
import { findCallback, listCallbacks } from './read-store.js';

const withCode = (code: string): unknown => expect.objectContaining({ code });

/** Every test has the same things in `shop` and `bank`, and looks at them as `shop`. */
function suite(engine: 'postgres' | 'embedded'): void {
  const store = useEmptiedStore(engine);
  const shop: Applications = ['shop'];

  it('callbacks of another application are not found and not changed', async () => {
    const ended = await acceptOne(store.db, { application: 'bank' });
    await work(store.db, failed);
    const due = await acceptOne(store.db, {
      application: 'bank',
      deliverAfter: new Date(Date.now() + 60_000),
    });
    const before = await findCallback(store.db, due, 'all');
    for (const id of [ended, due]) {
      expect(await findCallback(store.db, id, shop)).toBeUndefined();
      expect(await findCallback(store.db, id, [])).toBeUndefined();
      expect(await findCallback(store.db, id, ['shop', 'bank'])).toMatchObject({ id });
      for (const act of [cancelCallback, retryNow, replayCallback]) {
        await expectHidden(id, (of) => act(store.db, of, shop), 'CALLBACK_NOT_FOUND');
      }
    }
    expect(await findCallback(store.db, due, 'all')).toEqual(before);
    expect(await findCallback(store.db, ended, 'all')).toMatchObject({ state: 'failed' });
    await retryNow(store.db, due, ['bank']);
    await replayCallback(store.db, ended, ['bank', 'shop']);
    expect((await work(store.db)).sort()).toEqual([ended, due].sort());
  });

  it('lists of callbacks have those of the applications, whatever the filter', async () => {
    const endpointId = crypto.randomUUID();
    const made = async (application: string): Promise<void> => {
      await setQueuePolicy(store.db, { application, queue: 'parked' }, 'park');
      await accept(store.db, { application, queue: 'parked' }, { application });
      await record(store.db, await claim(store.db), failed);
      await cancelCallback(store.db, await acceptOne(store.db, { application }), 'all');
      await acceptOne(store.db, { application });
      await work(store.db);
      const later = new Date(Date.now() + 60_000);
      await accept(
        store.db,
        { application, queue: 'q', endpointId: application === 'shop' ? endpointId : undefined },
        { application, queue: 'q' },
        { application, deliverAfter: later },
      );
      await claim(store.db);
    };
    for (const application of ['shop', 'bank', 'farm']) await made(application);
    const filters: CallbackFilter[] = [
      {},
      { endpointId },
      { queue: 'q' },
      { host: 'example.com' },
      ...(
        ['pending', 'leased', 'held', 'waiting', 'delivered', 'failed', 'cancelled'] as const
      ).flatMap((state) => [{ state }, { state, queue: 'q' }, { state, endpointId }]),
    ];
    const list = async (filter: CallbackFilter, within: Applications) =>
      (await readAll((page) => listCallbacks(store.db, { ...filter, within }, page), 3)).items;
    for (const filter of filters) {
      const all = await list(filter, 'all');
      for (const within of [['shop'], ['shop', 'farm', 'shop'], [], ['nobody']] as const) {
        const own = all.filter((item) =>
          (within as readonly string[]).includes((item as { application: string }).application),
        );
        expect([filter, within, await list(filter, within)]).toEqual([filter, within, own]);
      }
      expect(await list({ ...filter, application: 'bank' }, shop)).toEqual([]);
      expect(await list({ ...filter, application: 'shop' }, shop)).toEqual(
        await list(filter, shop),
      );
    }
  });

  // The embedded database takes long for so many, and reads the same statements.
  if (engine === 'postgres') {
    it('a list of callbacks reads no rows of others, so its cursors tell nothing of them', async () => {
      const [own = ''] = await accept(store.db, {
        application: 'shop',
        url: 'https://own.example',
      });
      for (let i = 0; i < 3; i++) {
        await accept(store.db, ...Array.from({ length: 900 }, () => ({ application: 'bank' })));
      }
      await work(store.db, failed);
      const [endpointId = ''] = [crypto.randomUUID()];
      await acceptOne(store.db, { application: 'bank', endpointId });
      for (const filter of [
        {},
        { state: 'failed' },
        { host: 'own.example' },
        { state: 'pending' },
        { endpointId },
      ] as const) {
        const { items, next } = await listCallbacks(
          store.db,
          { ...filter, within: shop },
          { limit: 1 },
        );
        const isOwn =
          !('endpointId' in filter) && !('state' in filter && filter.state === 'pending');
        expect(items.map((item) => item.id)).toEqual(isOwn ? [own] : []);
        expect(next).toBeUndefined();
      }
      // A cursor of another application is only a position.
      const foreign = await listCallbacks(store.db, { within: ['bank'] }, { limit: 1 });
      const { items } = await listCallbacks(store.db, { within: shop }, { cursor: foreign.next });
      expect(items.map((item) => item.id)).toEqual([own]);
    });
  }

  it('a list of very many applications is as complete, in shorter pages', async () => {
    const names = Array.from({ length: 4_000 }, (_, i) => `app ${i}`);
    const ids = await accept(
      store.db,
      ...Array.from({ length: 60 }, (_, i) => ({ application: `app ${i}` })),
    );
    const list = (page: PageRequest) => listCallbacks(store.db, { within: names }, page);
    expect((await list({ limit: 50 })).items).toHaveLength(25);
    const { items } = await readAll(list, 50);
    expect(items.map((item) => (item as { id: string }).id)).toEqual(ids.toReversed());
  });

  it('lists of queues have those of the applications, in their order', async () => {
    for (const application of ['bank', 'shop', '', 'farm']) {
      for (const queue of ['a', 'b', 'c']) await accept(store.db, { application, queue });
      await pauseQueue(store.db, { application, queue: 'b' });
      await pauseQueue(store.db, { application, queue: 'empty' });
    }
    const list = async (filter: Omit<Parameters<typeof listQueues>[1], never>) =>
      (await readAll((page) => listQueues(store.db, filter, page))).items;
    for (const state of [undefined, 'paused', 'active', 'parked'] as const) {
      const all = await list({ state, within: 'all' });
      for (const within of [['shop'], ['shop', '', 'shop'], ['nobody'], []] as const) {
        const own = all.filter((item) =>
          (within as readonly string[]).includes((item as { application: string }).application),
        );
        const names = (items: readonly object[]) =>
          items.map((item) => ({ ...item, head: undefined }));
        expect(names(await list({ state, within }))).toEqual(names(own));
      }
    }
    expect(await list({ application: 'bank', within: shop })).toEqual([]);
    const foreign = await listQueues(store.db, { within: ['bank'] }, { limit: 1 });
    const page = await listQueues(store.db, { within: ['', 'shop'] }, { cursor: foreign.next });
    expect(new Set(page.items.map(({ application }) => application))).toEqual(new Set(['shop']));
  });

  it('replays belong to the application of their filter, or to all', async () => {
    await accept(
      store.db,
      { application: 'shop' },
      { application: 'bank' },
      { application: 'bank' },
    );
    await work(store.db, failed);
    const create = (application: string | undefined, within: Applications) =>
      createReplay(store.db, { filter: { state: 'failed', application }, within });
    const own = await create('shop', shop);
    const other = await create('bank', 'all');
    const ofAll = await create(undefined, 'all');
    expect([own, other, ofAll].map(({ application }) => application)).toEqual([
      'shop',
      'bank',
      undefined,
    ]);
    for (const application of ['bank', undefined]) {
      await expect(create(application, shop)).rejects.toEqual(withCode('REQUEST_INVALID'));
    }
    const list = async (within: Applications) =>
      (await readAll((page) => listReplays(store.db, { within }, page), 1)).items;
    expect(await list('all')).toEqual([ofAll, other, own]);
    expect(await list(shop)).toEqual([own]);
    expect(await list(['shop', 'bank'])).toEqual([other, own]);
    expect(await getReplay(store.db, own.id, shop)).toEqual(own);
    for (const { id } of [other, ofAll]) {
      for (const act of [getReplay, cancelReplay]) {
        await expectHidden(id, (of) => act(store.db, of, shop), 'REPLAY_NOT_FOUND');
      }
      expect(await getReplay(store.db, id, 'all')).toMatchObject({ state: 'running' });
    }
    await cancelReplay(store.db, other.id, 'all');
    await cancelReplay(store.db, ofAll.id, 'all');
    // Neither counted nor sent again: what others have.
    expect(await stepReplay(store.db, 10)).toMatchObject({ id: own.id, scanned: 1, replayed: 1 });
  });
}

describeWithPostgres('callbacks of applications', () => suite('postgres'));
describe('callbacks of applications in the embedded database', () => suite('embedded'));

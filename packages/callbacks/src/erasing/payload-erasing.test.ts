import { type ErasingProgress, type ErasureSelection, newId } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import {
  accept,
  acceptOne,
  claim,
  delivered,
  failed,
  record,
  work,
} from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { replayCallback } from '../actions/callback-actions.js';
import { findCallback } from '../lookup/read-store.js';
import { eraseByRequests, eraseByResponses } from './payload-erasing.js';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describeWithPostgres('erasing of payloads', () => {
  const store = useEmptiedStore();

  /** Runs one step; `limit` is small so that erasing takes several. */
  const step = (selection: ErasureSelection, position?: string): Promise<ErasingProgress> =>
    store.db.transaction((tx) => eraseByRequests(tx, selection, { position, limit: 3 }));

  const eraseAndCount = async (selection: Partial<ErasureSelection>, stage = eraseByRequests) => {
    const whole: ErasureSelection = { applications: 'all', undelivered: 'cancel', ...selection };
    let position: string | undefined;
    let erased = 0;
    let kept = 0;
    let scanned = 0;
    for (let n = 0; n < 100; n += 1) {
      const from: string | undefined = position;
      const progress: ErasingProgress = await store.db.transaction((tx) =>
        stage(tx, whole, { position: from, limit: 3 }),
      );
      erased += progress.erased;
      kept += progress.kept ?? 0;
      scanned += progress.scanned;
      position = progress.position;
      if (progress.done) return { erased, kept, scanned };
    }
    throw new Error('erasing does not end');
  };

  const erase = async (selection: Partial<ErasureSelection>, stage?: typeof eraseByRequests) => {
    const { erased, kept } = await eraseAndCount(selection, stage);
    return { erased, kept };
  };

  const bodies = async (ids: readonly string[]): Promise<(string | undefined)[]> => {
    const views = await Promise.all(ids.map((id) => findCallback(store.db, id, 'all')));
    return views.map((view) => view?.request.body?.toString());
  };

  it('erases bodies, headers, queries and responses of one application', async () => {
    const callback = {
      method: 'POST' as const,
      url: 'http://example.com/hook?token=x',
      headers: { 'x-name': 'a' },
      body: json({ a: 1 }),
    };
    const [own = '', other = ''] = await accept(
      store.db,
      { ...callback, application: 'a' },
      { ...callback, application: 'b' },
    );
    await work(store.db);
    expect(await erase({ applications: ['a'] })).toEqual({ erased: 1, kept: 0 });
    const view = await findCallback(store.db, own, 'all');
    expect(view?.request).toMatchObject({ url: 'http://example.com/hook', body: undefined });
    expect(view?.attempts[0]).toMatchObject({ statusCode: 200, responseBody: undefined });
    expect(await bodies([other])).toEqual(['{"a":1}']);
    expect(await erase({ applications: ['a'] })).toEqual({ erased: 0, kept: 0 });
  });

  it('erases what has the identifier in the request, also with both of two at once', async () => {
    const values = ['a@x', 'b@x', 'a@x', 'c@x', 'b@x'];
    const ids = await accept(
      store.db,
      ...values.map((mail) => ({ method: 'POST' as const, body: json({ payload: { mail } }) })),
    );
    await work(store.db);
    const identify = (value: string) => erase({ identifier: { pointer: '/mail', value } });
    const results = await Promise.all([identify('a@x'), identify('b@x')]);
    expect(results.map(({ erased }) => erased)).toEqual([2, 2]);
    expect((await bodies(ids)).map((body) => body !== undefined)).toEqual([
      false,
      false,
      false,
      true,
      false,
    ]);
  });

  it('erases what a receiver answered with', async () => {
    const ids = await accept(store.db, { method: 'POST', body: json({ n: 1 }) }, {});
    await work(store.db);
    await store.db.query('update callbacks.history set response_body = $2 where callback_id = $1', [
      ids[0],
      json({ mail: 'a@x' }),
    ]);
    const identifier = { pointer: '/mail', value: 'a@x' };
    expect(await erase({ identifier })).toEqual({ erased: 0, kept: 0 });
    expect(await erase({ identifier }, eraseByResponses)).toEqual({ erased: 1, kept: 0 });
    expect(await bodies(ids)).toEqual([undefined, undefined]);
    const view = await findCallback(store.db, ids[0] ?? '', 'all');
    expect(view?.attempts[0]?.responseBody).toBeUndefined();
  });

  it('cancels callbacks that are not delivered yet, and their queue moves on', async () => {
    const [first = '', second = '', third = ''] = await accept(
      store.db,
      { queue: 'q', body: json({ id: 1 }), method: 'POST' },
      { queue: 'q', body: json({ id: 2 }), method: 'POST' },
      { queue: 'q', body: json({ id: 1 }), method: 'POST' },
    );
    const identifier = { pointer: '/id', value: 1 };
    expect(await erase({ identifier, undelivered: 'keep' })).toEqual({ erased: 0, kept: 2 });
    expect(await erase({ identifier })).toEqual({ erased: 2, kept: 0 });
    expect(await work(store.db)).toEqual([second]);
    for (const id of [first, third]) {
      expect(await findCallback(store.db, id, 'all')).toMatchObject({ state: 'cancelled' });
    }
  });

  it('waits for the attempt that is under way, which is the last one', async () => {
    const id = await acceptOne(store.db, { body: json({ id: 1 }), method: 'POST' });
    const leased = await claim(store.db);
    const selection: ErasureSelection = { applications: 'all', undelivered: 'cancel' };
    const busy = await step(selection);
    expect(busy).toMatchObject({ position: undefined, done: false, erased: 0 });
    expect(busy.waitMs).toBeGreaterThan(0);
    await record(store.db, leased, { kind: 'retry', delayNs: 0n });
    expect(await work(store.db)).toEqual([]);
    expect(await step(selection)).toMatchObject({ erased: 1 });
    expect(await findCallback(store.db, id, 'all')).toMatchObject({ state: 'cancelled' });
    expect(await bodies([id])).toEqual([undefined]);
  });

  it('ends a parked head, which has failed and could be sent again', async () => {
    await store.db.query(
      `insert into callbacks.queue (application, queue, on_failure) values ('', 'q', 'park')`,
    );
    const [first = '', second = ''] = await accept(
      store.db,
      { queue: 'q', body: json({ id: 1 }), method: 'POST' },
      { queue: 'q' },
    );
    await record(store.db, await claim(store.db), failed);
    expect(await erase({ identifier: { pointer: '/id', value: 1 } })).toMatchObject({ erased: 1 });
    expect(await findCallback(store.db, first, 'all')).toMatchObject({ state: 'failed' });
    expect(await work(store.db)).toEqual([second]);
  });

  it('selects by queue and by the key of events', async () => {
    const endpointId = '0190a5c2-0000-7000-8000-000000000001';
    const ids = await accept(
      store.db,
      { queue: 'k1', body: json(1), method: 'POST' },
      { queue: 'k2', body: json(1), method: 'POST' },
      { queue: `endpoint:${endpointId}:k1`, endpointId, body: json(1), method: 'POST' },
    );
    await record(store.db, await claim(store.db), delivered);
    expect(await erase({ key: 'k1' })).toMatchObject({ erased: 2 });
    expect(await bodies(ids)).toEqual([undefined, '1', undefined]);
    expect(await erase({ endpointId: 'not an id' })).toMatchObject({ erased: 0 });
  });

  it('counts and reads nothing of another application', async () => {
    const endpointId = newId();
    const foreign = { application: 'b', endpointId, queue: 'q', body: json({ id: 7 }) };
    await accept(store.db, foreign, foreign, { application: 'a' }, { application: 'c' });
    await work(store.db, delivered);
    const scannedBy = async (selection: Partial<ErasureSelection>) => {
      const identifier = { pointer: '/id', value: 7 };
      const requests = await eraseAndCount(selection);
      const responses = await eraseAndCount({ ...selection, identifier }, eraseByResponses);
      return [requests.scanned, responses.scanned];
    };
    expect(await scannedBy({ applications: ['a'], endpointId })).toEqual([0, 1]);
    expect(await scannedBy({ applications: ['a'], key: 'q' })).toEqual([1, 1]);
    expect(await scannedBy({ applications: ['a', 'c'], key: 'q' })).toEqual([2, 2]);
    expect(await scannedBy({ applications: ['b'], endpointId, key: 'x' })).toEqual([2, 2]);
    expect(await scannedBy({ key: 'x' })).toEqual([4, 4]);
  });

  it('refuses to send an erased callback again', async () => {
    const id = await acceptOne(store.db, { body: json(1), method: 'POST' });
    await work(store.db);
    await erase({});
    await expect(replayCallback(store.db, id, 'all')).rejects.toMatchObject({
      code: 'CALLBACK_STATE',
      message: expect.stringContaining('was erased'),
    });
  });
});

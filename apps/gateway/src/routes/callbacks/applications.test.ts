import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type ApplicationCallers,
  openApplicationCallers,
  problemOf,
} from '../../../test/application-callers.js';
import type { Call } from '../../../test/caller.js';

interface Item {
  readonly id: string;
  readonly application: string | null;
}
interface List {
  readonly items: readonly Item[];
  readonly next: string | null;
}

const url = 'https://example.com/';
const unknownId = '01890000-0000-7000-8000-000000000000';
const slow = { phases: [{ retries: 1, delayMs: 60_000 }] };
const fast = { phases: [{ retries: 9, delayMs: 1_000 }] };

describeWithPostgres('callbacks of applications', () => {
  let callers: ApplicationCallers;
  beforeAll(async () => {
    callers = await openApplicationCallers();
  });
  afterAll(() => callers.gateway.close());

  const create = async (call: Call, body: object = {}): Promise<Item> =>
    (await call<Item>('POST', '/v1/callbacks', { url, ...body })).json;
  const list = async (call: Call, path: string): Promise<List> =>
    (await call<List>('GET', path)).json;
  const applicationOf = async (id: string): Promise<string | null> =>
    (await callers.all<Item>('GET', `/v1/callbacks/${id}`)).json.application;

  it('belong to the application that is named, else to that of the key', async () => {
    const { shop, both, all } = callers;
    expect(await applicationOf((await create(shop)).id)).toBe('shop');
    expect(await applicationOf((await create(shop, { application: 'shop' })).id)).toBe('shop');
    expect(await applicationOf((await create(all)).id)).toBe('main');
    expect(await applicationOf((await create(all, { application: '' })).id)).toBe('');
    expect(await applicationOf((await create(both, { application: 'bank' })).id)).toBe('bank');
    expect(await create(shop, { application: 'bank' })).toMatchObject({
      code: 'APPLICATION_FORBIDDEN',
    });
    expect(await create(both)).toMatchObject({ code: 'APPLICATION_REQUIRED' });
  });

  it('of a batch each belong to their own, and fail alone', async () => {
    const answer = await callers.both<{ items: { status: number; callback?: Item }[] }>(
      'POST',
      '/v1/callbacks/batch',
      {
        items: [
          { url, application: 'shop' },
          { url, application: 'bank' },
          { url, application: 'farm' },
          { url },
        ],
      },
    );
    const { items } = answer.json;
    expect(items).toMatchObject([
      { status: 201 },
      { status: 201 },
      { status: 403, problem: { code: 'APPLICATION_FORBIDDEN' } },
      { status: 422, problem: { code: 'APPLICATION_REQUIRED' } },
    ]);
    expect(await applicationOf(items[1]?.callback?.id ?? '')).toBe('bank');
    const own = await callers.shop<{ items: { callback: Item }[] }>('POST', '/v1/callbacks/batch', {
      items: [{ url }],
    });
    expect(await applicationOf(own.json.items[0]?.callback.id ?? '')).toBe('shop');
  });

  it('of the compatible API belong to applicationid, else to that of the key', async () => {
    const { shop, both, all } = callers;
    const send = async (call: Call, applicationid?: string | null) =>
      (await call<Item & { request: object }>('POST', '/callback', { url, applicationid })).json;
    for (const absent of [undefined, null, '']) {
      expect((await send(shop, absent)).request).toMatchObject({ applicationid: 'shop' });
      expect((await send(all, absent)).request).toMatchObject({ applicationid: 'main' });
      expect(await send(both, absent)).toMatchObject({
        code: 'APPLICATION_REQUIRED',
        details: [{ field: 'applicationid' }],
      });
    }
    const other = await send(both, 'bank');
    expect(other.request).toMatchObject({ applicationid: 'bank' });
    expect(await send(shop, 'bank')).toMatchObject({ status: 403, code: 'APPLICATION_FORBIDDEN' });
    expect(await problemOf(shop, ['GET', `/callback/${other.id}`], other.id)).toEqual(
      await problemOf(shop, ['GET', `/callback/${unknownId}`], unknownId),
    );
  });

  it('of other applications do not exist', async () => {
    const { shop, bank } = callers;
    const { id } = await create(bank, { queue: 'orders' });
    const endpointId = crypto.randomUUID();
    for (const [method, action] of [
      ['GET', ''],
      ['POST', '/cancel'],
      ['POST', '/retry'],
      ['POST', '/replay'],
    ] as const) {
      const of = (name: string) =>
        problemOf(shop, [method, `/v1/callbacks/${name}${action}`], name);
      expect(await of(id)).toMatchObject({ status: 404 });
      expect(await of(id)).toEqual(await of(unknownId));
    }
    for (const query of ['', 'state=pending', 'queue=orders', `endpointId=${endpointId}`]) {
      const { items } = await list(shop, `/v1/callbacks?limit=500&${query}`);
      expect(items.filter(({ application }) => application !== 'shop')).toEqual([]);
    }
    const foreign = { status: 403, json: { code: 'APPLICATION_FORBIDDEN' } };
    expect(await shop('GET', '/v1/callbacks?application=bank')).toMatchObject(foreign);
    const { items } = await list(bank, '/v1/callbacks?queue=orders&state=pending');
    expect(items).toMatchObject([{ id }]);
    const page = await list(callers.both, '/v1/callbacks?limit=1');
    const after = await list(shop, `/v1/callbacks?cursor=${page.next}`);
    expect(after.items.every(({ application }) => application === 'shop')).toBe(true);
  });

  it('keep idempotency keys and queues of the same name apart', async () => {
    const { shop, bank } = callers;
    const once = { 'idempotency-key': 'same' };
    const own = await shop.with(once)<Item>('POST', '/v1/callbacks', { url });
    const other = await bank.with(once)<Item>('POST', '/v1/callbacks', { url, method: 'PUT' });
    expect([own.status, other.status]).toEqual([201, 201]);
    expect(other.headers).not.toHaveProperty('idempotent-replayed');
    expect(other.json.id).not.toBe(own.json.id);
    const again = await shop.with(once)<Item>('POST', '/v1/callbacks', { url });
    expect(again.json.id).toBe(own.json.id);

    await create(bank, { queue: 'hidden' });
    for (const [method, action, body] of [
      ['GET', 'details', undefined],
      ['POST', 'unblock', { mode: 'skip' }],
    ] as const) {
      const of = (queue: string) =>
        problemOf(shop, [method, `/v1/queues/${action}?queue=${queue}`, body], queue);
      expect(await of('hidden')).toMatchObject({ status: 404 });
      expect(await of('hidden')).toEqual(await of('nowhere'));
      const path = `/v1/queues/${action}?queue=hidden&application=bank`;
      expect(await shop(method, path, body)).toMatchObject({ status: 403 });
    }
    expect(await shop('POST', '/v1/queues/pause?queue=hidden')).toMatchObject({ status: 204 });
    expect((await list(bank, '/v1/queues')).items).toContainEqual(
      expect.objectContaining({ application: 'bank', queue: 'hidden', paused: false }),
    );
    const { items } = await list(shop, '/v1/queues');
    expect(new Set(items.map(({ application }) => application))).toEqual(new Set(['shop']));
  });

  it('are replayed for one application, or for all by callers for all', async () => {
    const { shop, both, bank, all } = callers;
    const replay = (call: Call, filter: object = {}) =>
      call<Item & { filter: object }>('POST', '/v1/replays', {
        filter: { state: 'failed', ...filter },
      });
    const own = await replay(shop);
    expect(own).toMatchObject({
      status: 201,
      json: { application: 'shop', filter: { application: 'shop' } },
    });
    const other = await replay(both, { application: 'bank' });
    expect(other.json).toMatchObject({ application: 'bank' });
    const ofAll = await replay(all);
    expect(ofAll.json.application).toBeNull();
    expect(ofAll.json.filter).not.toHaveProperty('application');
    expect(await replay(both)).toMatchObject({
      status: 422,
      json: { code: 'APPLICATION_REQUIRED' },
    });
    expect(await replay(shop, { application: 'bank' })).toMatchObject({ status: 403 });
    const ids = async (call: Call, query = '') =>
      (await list(call, `/v1/replays${query}`)).items.map(({ id }) => id);
    expect(await ids(shop)).toEqual([own.json.id]);
    expect(await ids(bank)).toEqual([other.json.id]);
    expect(await ids(both)).toEqual([other.json.id, own.json.id]);
    expect(await ids(all)).toEqual([ofAll.json.id, other.json.id, own.json.id]);
    expect(await ids(all, '?application=shop')).toEqual([own.json.id]);
    for (const { id } of [other.json, ofAll.json]) {
      for (const [method, action] of [
        ['GET', ''],
        ['POST', '/cancel'],
      ] as const) {
        const of = (name: string) =>
          problemOf(shop, [method, `/v1/replays/${name}${action}`], name);
        expect(await of(id)).toMatchObject({ status: 404 });
        expect(await of(id)).toEqual(await of(unknownId));
      }
    }
  });

  it('have as many running replays as the limit says, whatever others have', async () => {
    const replay = (call: Call) =>
      call('POST', '/v1/replays', { filter: { state: 'cancelled' }, ratePerSecond: 1 });
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push((await replay(callers.bank)).status);
    expect(statuses.at(-1)).toBe(429);
    expect((await replay(callers.shop)).status).toBe(201);
  });

  it('use the retry policies of their application, and shared ones', async () => {
    const { shop, bank, both, all } = callers;
    const put = (call: Call, name: string, body: object) =>
      call('PUT', `/v1/retry-policies/${name}`, body);
    const get = async (call: Call, name: string, query = '') =>
      (await call<object>('GET', `/v1/retry-policies/${name}${query}`)).json;
    expect((await put(all, 'common', slow)).json).toMatchObject({ application: null });
    expect((await put(shop, 'mine', fast)).json).toMatchObject({ application: 'shop' });
    expect((await put(all, 'mine?application=bank', slow)).json).toMatchObject({
      application: 'bank',
    });
    expect(await put(both, 'mine', slow)).toMatchObject({ json: { code: 'APPLICATION_REQUIRED' } });
    expect(await put(shop, 'mine?application=bank', slow)).toMatchObject({ status: 403 });
    for (const call of [shop, bank]) {
      expect(await get(call, 'common')).toMatchObject({ application: null, retry: slow });
    }
    expect(await get(all, 'mine')).toMatchObject({ code: 'POLICY_NOT_FOUND' });
    expect(await get(both, 'mine', '?application=shop')).toMatchObject({ retry: fast });
    expect(await get(bank, 'mine')).toMatchObject({ application: 'bank', retry: slow });

    await put(bank, 'hidden', slow);
    const of = (name: string) => problemOf(shop, ['GET', `/v1/retry-policies/${name}`], name);
    expect(await of('hidden')).toMatchObject({ status: 404 });
    expect(await of('hidden')).toEqual(await of('nowhere'));
    const removed = (name: string) =>
      problemOf(shop, ['DELETE', `/v1/retry-policies/${name}`], name);
    expect(await removed('hidden')).toEqual(await removed('nowhere'));
    // Shared ones are changed by callers for all: theirs would be one of the same name.
    expect(await removed('common')).toEqual(await removed('nowhere'));
    expect((await put(shop, 'common', fast)).json).toMatchObject({ application: 'shop' });
    expect(await get(bank, 'common')).toMatchObject({ application: null, retry: slow });

    const retryOf = async (call: Call, policy: string) => {
      const { id } = await create(call, { retry: { policy } });
      return (await all<{ request: { retry: object } }>('GET', `/v1/callbacks/${id}`)).json.request
        .retry;
    };
    expect(await retryOf(shop, 'common')).toEqual(fast);
    expect(await retryOf(bank, 'common')).toEqual(slow);
    expect(await retryOf(shop, 'mine')).toEqual(fast);
    expect(await create(shop, { retry: { policy: 'hidden' } })).toMatchObject({
      code: 'POLICY_NOT_FOUND',
    });
    const names = async (call: Call) =>
      (
        await call<{ items: { name: string; application: string | null }[] }>(
          'GET',
          '/v1/retry-policies',
        )
      ).json.items.map(({ name, application }) => `${name} ${application}`);
    expect(await names(shop)).toEqual(['common null', 'common shop', 'mine shop']);
    expect(await names(all)).toHaveLength(5);
    expect((await shop('DELETE', '/v1/retry-policies/common')).status).toBe(204);
    expect((await all('DELETE', '/v1/retry-policies/common')).status).toBe(204);
  });
});

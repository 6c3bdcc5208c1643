import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';

interface Subscription {
  readonly id: string;
}

const unknownId = '01890000-0000-7000-8000-000000000000';

describeWithPostgres('/v1/subscriptions', () => {
  let gateway: TestCallbacks;
  let endpointId: string;
  const create = (body: object) =>
    gateway.call<Subscription>('POST', '/v1/subscriptions', { endpointId, ...body });

  beforeAll(async () => {
    gateway = await openTestCallbacks();
    const { json } = await gateway.call<{ endpoint: { id: string } }>('POST', '/v1/endpoints', {
      name: 'e',
      url: 'https://example.com/',
    });
    endpointId = json.endpoint.id;
  });
  afterAll(() => gateway.close());

  it('creates, replaces, shows, lists and removes subscriptions', async () => {
    const filter = { properties: { total: { minimum: 100 } } };
    const made = await create({ eventName: 'order.*', namespace: 'shop', filter });
    const path = `/v1/subscriptions/${made.json.id}`;
    expect(made).toMatchObject({ status: 201, headers: { location: path } });
    expect((await gateway.call('GET', path)).json).toEqual({
      id: made.json.id,
      endpointId,
      eventName: 'order.*',
      namespace: 'shop',
      filter,
      fault: null,
      createdAt: expect.any(String),
    });
    expect(await gateway.call('PUT', path, { eventName: '**' })).toMatchObject({
      status: 200,
      json: { eventName: '**', namespace: null, filter: null },
    });
    const other = await create({ eventName: 'a' });
    const list = `/v1/subscriptions?endpointId=${endpointId}`;
    const first = await gateway.call<{ next: string }>('GET', `${list}&limit=1`);
    expect(first.json).toMatchObject({ items: [{ id: other.json.id }] });
    expect((await gateway.call('GET', `${list}&cursor=${first.json.next}`)).json).toMatchObject({
      items: [{ id: made.json.id }],
      next: null,
    });
    expect((await gateway.call('DELETE', path)).status).toBe(204);
  });

  it('shows the fault of a filter until the subscription is changed', async () => {
    const made = await create({ eventName: 'a', filter: { minProperties: 1 } });
    const path = `/v1/subscriptions/${made.json.id}`;
    const fault = { code: 'FILTER_TIMEOUT', message: 'too long', eventId: 'e1' };
    // As a worker writes it.
    await gateway.db.query(`update callbacks.subscription set fault = $2 where id = $1`, [
      made.json.id,
      JSON.stringify({ ...fault, at: '2026-01-02T03:04:05.678+00:00' }),
    ]);
    const shown = { fault: { ...fault, at: '2026-01-02T03:04:05.678Z' } };
    expect((await gateway.call('GET', path)).json).toMatchObject(shown);
    const list = await gateway.call('GET', '/v1/subscriptions?limit=1');
    expect(list.json).toMatchObject({ items: [shown] });
    const changed = { eventName: 'a', filter: { minProperties: 1 } };
    expect((await gateway.call('PUT', path, changed)).json).toMatchObject({ fault: null });
    expect((await gateway.call('GET', path)).json).toMatchObject({ fault: null });
    await gateway.call('DELETE', path);
  });

  it('takes patterns that name types of CloudEvents', async () => {
    for (const eventName of [
      'https://例え.jp/a b?c=(d)',
      '/a b/事件.**',
      'a..b',
      'x'.repeat(1_024),
    ]) {
      const made = await create({ eventName });
      expect(made).toMatchObject({ status: 201, json: { eventName } });
      const path = `/v1/subscriptions/${made.json.id}`;
      expect((await gateway.call('GET', path)).json).toMatchObject({ eventName });
      await gateway.call('DELETE', path);
    }
  });

  it('keeps every digit of the numbers of a filter', async () => {
    const filter = '{"properties":{"n":{"const":9007199254740993,"maximum":1.50}}}';
    const body = `{"endpointId":"${endpointId}","eventName":"a","filter":${filter}}`;
    const made = await gateway.call<Subscription>('POST', '/v1/subscriptions', body);
    const path = `/v1/subscriptions/${made.json.id}`;
    const replaced = await gateway.call('PUT', path, `{"eventName":"a","filter":${filter}}`);
    const list = await gateway.call('GET', '/v1/subscriptions?limit=1');
    for (const answer of [made, replaced, await gateway.call('GET', path), list]) {
      expect(answer.body).toContain(`"filter":${filter}`);
    }
    expect((await gateway.call('DELETE', path)).status).toBe(204);
  });

  it('answers 404 for unknown subscriptions and endpoints', async () => {
    for (const id of ['x', unknownId]) {
      const path = `/v1/subscriptions/${id}`;
      for (const [method, body] of [
        ['GET', undefined],
        ['PUT', { eventName: 'a' }],
        ['DELETE', undefined],
      ] as const) {
        expect(await gateway.call(method, path, body)).toMatchObject({
          status: 404,
          json: { code: 'SUBSCRIPTION_NOT_FOUND' },
        });
      }
    }
    for (const id of ['x', unknownId]) {
      expect(await create({ endpointId: id, eventName: 'a' })).toMatchObject({
        status: 404,
        json: { code: 'ENDPOINT_NOT_FOUND' },
      });
    }
  });

  it.each([
    [{}],
    [{ eventName: '' }],
    [{ eventName: 'a.b*' }],
    [{ eventName: 'a\u0000b' }],
    [{ eventName: 'a'.repeat(1_025) }],
    [{ eventName: '**.a' }],
    [{ eventName: 'a', filter: { pattern: '(a+)+$' } }],
    [{ eventName: 'a', filter: [] }],
    [{ eventName: 'a', filter: { allOf: Array(150).fill({ minProperties: [1] }) } }],
    [{ eventName: 'a', filter: { allOf: Array(200).fill({ minProperties: 1 }) } }],
    [{ eventName: 'a', name: 'b' }],
  ])('refuses %j', async (body) => {
    expect(await create(body)).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
  });
});

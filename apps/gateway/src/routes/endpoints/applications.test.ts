import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type ApplicationCallers,
  openApplicationCallers,
  problemOf,
} from '../../../test/application-callers.js';
import type { Call } from '../../../test/caller.js';

interface Endpoint {
  readonly id: string;
  readonly application: string;
  readonly name: string;
}
interface Created {
  readonly endpoint: Endpoint;
}
interface List<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}
type Request = Parameters<typeof problemOf>[1];

const url = 'https://example.com/';
const unknownId = '01890000-0000-7000-8000-000000000000';

describeWithPostgres('endpoints of applications', () => {
  let callers: ApplicationCallers;
  beforeAll(async () => {
    callers = await openApplicationCallers();
  });
  afterAll(() => callers.gateway.close());

  const create = async (call: Call, body: object): Promise<Endpoint> =>
    (await call<Created>('POST', '/v1/endpoints', { url, ...body })).json.endpoint;

  /** Checks that a request about something of `bank` is answered as one about nothing. */
  async function expectHidden(id: string, requestOf: (id: string) => Request): Promise<void> {
    const hidden = await problemOf(callers.shop, requestOf(id), id);
    expect(hidden).toMatchObject({ status: 404 });
    expect(hidden).toEqual(await problemOf(callers.shop, requestOf(unknownId), unknownId));
  }

  it('belong to the application that is named, else to that of the key', async () => {
    const { shop, bank, both, all } = callers;
    const own = await create(shop, { name: 'same' });
    const other = await create(bank, { name: 'same' });
    expect([own.application, other.application]).toEqual(['shop', 'bank']);
    expect(await create(all, { name: 'same' })).toMatchObject({ application: 'main' });
    const refused = (call: Call, body: object) => call('POST', '/v1/endpoints', { url, ...body });
    expect(await refused(shop, { name: 'x', application: 'bank' })).toMatchObject({ status: 403 });
    expect(await refused(both, { name: 'x' })).toMatchObject({
      status: 422,
      json: { code: 'APPLICATION_REQUIRED' },
    });
    expect(await refused(shop, { name: 'same' })).toMatchObject({
      status: 409,
      json: { code: 'ENDPOINT_EXISTS' },
    });
  });

  it('of other applications do not exist, nor do their subscriptions and secrets', async () => {
    const { shop, bank, both } = callers;
    const { id } = await create(bank, { name: 'hidden' });
    const actions = ['pause', 'resume', 'disable', 'enable', 'test', 'secrets'];
    const requests: ((id: string) => Request)[] = [
      (of) => ['GET', `/v1/endpoints/${of}`],
      (of) => ['PATCH', `/v1/endpoints/${of}`, { name: 'x' }],
      (of) => ['DELETE', `/v1/endpoints/${of}`],
      (of) => ['GET', `/v1/endpoints/${of}/secrets`],
      ...actions.map(
        (action) => (of: string) => ['POST', `/v1/endpoints/${of}/${action}`] as const,
      ),
      (of) => ['POST', '/v1/subscriptions', { endpointId: of, eventName: '**' }],
    ];
    for (const requestOf of requests) await expectHidden(id, requestOf);
    const subscription = await bank<{ id: string }>('POST', '/v1/subscriptions', {
      endpointId: id,
      eventName: '**',
    });
    for (const [method, body] of [
      ['GET', undefined],
      ['PUT', { eventName: 'x' }],
      ['DELETE', undefined],
    ] as const) {
      await expectHidden(subscription.json.id, (of) => [method, `/v1/subscriptions/${of}`, body]);
    }
    const list = async (call: Call, path: string) =>
      (await call<List<{ id: string }>>('GET', path)).json.items.map((item) => item.id);
    expect(await list(shop, '/v1/endpoints?limit=500')).not.toContain(id);
    expect(await list(both, '/v1/endpoints?limit=500')).toContain(id);
    expect(await list(shop, '/v1/subscriptions')).toEqual([]);
    expect(await list(shop, `/v1/subscriptions?endpointId=${id}`)).toEqual([]);
    expect(await list(both, `/v1/subscriptions?endpointId=${id}`)).toEqual([subscription.json.id]);
    expect(await list(callers.all, '/v1/subscriptions?application=shop')).toEqual([]);
    expect(await shop('GET', '/v1/endpoints?application=bank')).toMatchObject({ status: 403 });
    expect(await bank('GET', `/v1/endpoints/${id}`)).toMatchObject({
      status: 200,
      json: { state: 'active', name: 'hidden' },
    });
  });

  it('have signing secrets apart from those of others', async () => {
    const { shop, bank, all } = callers;
    const make = (call: Call, name: string) => call('POST', '/v1/secrets', { name });
    expect((await make(bank, 'main')).json).toMatchObject({ application: 'bank' });
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['DELETE', '', undefined],
      ['POST', '/rotate', {}],
    ] as const) {
      const of = (name: string) =>
        problemOf(shop, [method, `/v1/secrets/${name}${path}`, body], name);
      expect(await of('main')).toMatchObject({ status: 404 });
      expect(await of('main')).toEqual(await of('none'));
      expect(await shop(method, `/v1/secrets/main${path}?application=bank`, body)).toMatchObject({
        status: 403,
      });
    }
    const signed = (name: string) =>
      problemOf(shop, ['POST', '/v1/callbacks', { url, secret: name }], name);
    expect(await signed('main')).toMatchObject({ problem: { code: 'SECRET_NOT_FOUND' } });
    expect(await signed('main')).toEqual(await signed('none'));
    expect((await make(shop, 'main')).status).toBe(201);
    const names = async (call: Call) =>
      (await call<List<Endpoint>>('GET', '/v1/secrets')).json.items.map((item) => item.application);
    expect(await names(shop)).toEqual(['shop']);
    expect(await names(all)).toEqual(['bank', 'shop']);
  });

  it('are shown in lists without the values of headers that are credentials', async () => {
    const headers = {
      authorization: 'Bearer 1',
      cookie: 'a=1',
      'x-api-key': '1',
      'x-auth-token': '1',
      'x-client-secret': '1',
      'x-shop': 'berlin',
      'content-type': 'text/plain',
    };
    const { id } = await create(callers.shop, { name: 'with headers', headers });
    const { items } = (
      await callers.all<List<Endpoint & { headers: object }>>('GET', '/v1/endpoints')
    ).json;
    expect(items.find((item) => item.id === id)?.headers).toEqual({
      authorization: '***',
      cookie: '***',
      'x-api-key': '***',
      'x-auth-token': '***',
      'x-client-secret': '***',
      'x-shop': 'berlin',
      'content-type': 'text/plain',
    });
    expect((await callers.shop('GET', `/v1/endpoints/${id}`)).json).toMatchObject({ headers });
  });

  it('and subscriptions are changed only from the version that If-Match names', async () => {
    const { shop } = callers;
    const made = await shop<Created>('POST', '/v1/endpoints', { url, name: 'versions' });
    const path = `/v1/endpoints/${made.json.endpoint.id}`;
    const subscription = await shop<{ id: string }>('POST', '/v1/subscriptions', {
      endpointId: made.json.endpoint.id,
      eventName: 'a',
    });
    const cases = [
      ['PATCH', path, { name: 'new' }, { name: 'newer' }, made.headers.etag],
      [
        'PUT',
        `/v1/subscriptions/${subscription.json.id}`,
        { eventName: 'b' },
        { eventName: 'c' },
        subscription.headers.etag,
      ],
    ] as const;
    for (const [method, of, change, second, created] of cases) {
      const etag = (await shop('GET', of)).headers.etag;
      expect(etag).toMatch(/^"[\w-]{22}"$/);
      expect(etag).toBe(created);
      const first = await shop.with({ 'if-match': `"other", ${etag}` })(method, of, change);
      expect(first).toMatchObject({ status: 200, json: change });
      expect(first.headers.etag).not.toBe(etag);
      for (const old of [String(etag), `W/${first.headers.etag}`, 'text', '']) {
        const late = await shop.with({ 'if-match': old })(method, of, second);
        expect([old, late.status, late.json]).toMatchObject([
          old,
          412,
          { code: 'PRECONDITION_FAILED' },
        ]);
      }
      expect((await shop('GET', of)).json).toMatchObject(change);
      const any = await shop.with({ 'if-match': '*' })(method, of, second);
      expect(any).toMatchObject({ status: 200, json: second });
      expect((await shop(method, of, change)).status).toBe(200);
    }
    const paused = await shop('POST', `${path}/pause`);
    expect(paused.headers.etag).toBe((await shop('GET', path)).headers.etag);
  });
});

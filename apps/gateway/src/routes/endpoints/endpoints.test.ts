import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';

interface Created {
  readonly endpoint: { readonly id: string };
  readonly secret: { readonly secret: string };
}

const url = 'https://example.com/hooks';
const unknownId = '01890000-0000-7000-8000-000000000000';
const missing = { status: 404, json: { code: 'ENDPOINT_NOT_FOUND' } };

describeWithPostgres('/v1/endpoints', () => {
  let gateway: TestCallbacks;
  let count = 0;
  const post = (body: object) => gateway.call<Created>('POST', '/v1/endpoints', body);
  const create = async (body: object = {}) => {
    count += 1;
    const answer = await post({ name: `endpoint ${count}`, url, ...body });
    expect(answer.status).toBe(201);
    return answer.json.endpoint.id;
  };
  const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    gateway.call(method, `/v1/endpoints/${path}`, body);

  beforeAll(async () => {
    gateway = await openTestCallbacks();
  });
  afterAll(() => gateway.close());

  it('takes a JSON content type without a body wherever the body may be left out', async () => {
    const id = await create();
    const typed = gateway.call.with({ 'content-type': 'application/json' });
    const actions = ['pause', 'resume', 'disable', 'enable', 'test', 'secrets'];
    const statuses: number[] = [];
    for (const action of actions) {
      statuses.push((await typed('POST', `/v1/endpoints/${id}/${action}`)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 201, 201]);
    await gateway.call('POST', '/v1/secrets', { name: 'typed' });
    expect((await typed('POST', '/v1/secrets/typed/rotate')).status).toBe(201);
    expect((await typed('POST', '/v1/queues/pause?queue=typed')).status).toBe(204);
    expect((await typed('POST', '/v1/queues/resume?queue=typed')).status).toBe(204);
    const callback = await gateway.call<{ id: string }>('POST', '/v1/callbacks', { url });
    const path = `/v1/callbacks/${callback.json.id}`;
    expect((await typed('POST', `${path}/cancel`)).status).toBe(200);
    expect((await typed('POST', `${path}/replay`)).status).toBe(200);
    expect((await typed('DELETE', `/v1/endpoints/${id}`)).status).toBe(204);
  });

  it('creates an endpoint, and shows its secret only then', async () => {
    const made = await post({ name: 'plain', url });
    const { id } = made.json.endpoint;
    expect(made.headers.location).toBe(`/v1/endpoints/${id}`);
    const endpoint = {
      id,
      application: '',
      name: 'plain',
      url,
      headers: {},
      retry: { exponential: expect.objectContaining({ maxRetries: 10 }) },
      timeoutMs: 15_000,
      ratePerSecond: null,
      maxConcurrency: null,
      order: 'none',
      eventFormat: 'envelope',
      notificationEmail: null,
      state: 'active',
      stateReason: null,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    };
    expect(made.json).toEqual({
      endpoint,
      secret: {
        version: 1,
        kind: 'hmac',
        secret: expect.stringMatching(/^whsec_/),
        publicKey: null,
      },
    });
    const view = await call('GET', id.replaceAll('-', ''));
    expect(view.json).toEqual(endpoint);
    expect(view.body).not.toContain('whsec_');
  });

  it('changes the given fields, and resets those that are null', async () => {
    const settings = {
      headers: { 'x-a': 'b' },
      retry: { phases: [{ retries: 1, delayMs: 5 }] },
      timeoutMs: 1_000,
      ratePerSecond: 0.5,
      maxConcurrency: 2,
      order: '/order/id',
      eventFormat: 'cloudevents-binary',
      notificationEmail: 'a@example.com',
    };
    const id = await create({ application: 'shop', ...settings });
    expect((await call('GET', id)).json).toMatchObject({ application: 'shop', ...settings });
    const renamed = await call('PATCH', id, { name: 'renamed', retry: null, order: null });
    expect(renamed).toMatchObject({
      status: 200,
      json: { ...settings, name: 'renamed', retry: { exponential: {} }, order: 'none' },
    });
    const nothing = Object.fromEntries(Object.keys(settings).map((key) => [key, null]));
    expect((await call('PATCH', id, nothing)).json).toMatchObject({
      headers: {},
      timeoutMs: 15_000,
      ratePerSecond: null,
      maxConcurrency: null,
      eventFormat: 'envelope',
      notificationEmail: null,
    });
  });

  it('accepts a given secret, and a policy by its name', async () => {
    await gateway.call('PUT', '/v1/retry-policies/slow', { phases: [] });
    const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
    const made = await post({ name: 'named', url, retry: { policy: 'slow' }, secret });
    expect(made.json).toMatchObject({
      endpoint: { retry: { policy: 'slow' } },
      secret: { secret },
    });
    expect(await post({ name: 'x', url, retry: { policy: 'none' } })).toMatchObject({
      status: 404,
      json: { code: 'POLICY_NOT_FOUND' },
    });
  });

  it.each<[name: string, body: object, field: string]>([
    ['no name', { url }, 'name'],
    ['no url', { name: 'x' }, 'url'],
    ['a private address', { name: 'x', url: 'http://10.0.0.1/' }, 'url'],
    ['a rate of 0', { name: 'x', url, ratePerSecond: 0 }, 'ratePerSecond'],
    ['an unknown order', { name: 'x', url, order: 'time' }, 'order'],
    ['an unknown format', { name: 'x', url, eventFormat: 'cloudevents' }, 'eventFormat'],
    ['LF in a header', { name: 'x', url, headers: { a: 'b\nc' } }, 'headers.a'],
    ['a timeout beyond the lease', { name: 'x', url, timeoutMs: 28_001 }, 'timeoutMs'],
    ['an unknown key', { name: 'x', url, state: 'paused' }, 'state'],
  ])('refuses %s', async (_name, body, field) => {
    expect(await post(body)).toMatchObject({
      status: 422,
      json: { code: 'REQUEST_INVALID', details: [{ field }] },
    });
  });

  it('lists endpoints by application and state, page by page', async () => {
    const ids = [];
    for (let i = 0; i < 3; i += 1) ids.unshift(await create({ application: 'listed' }));
    await call('POST', `${ids[1]}/pause`);
    const list = '?application=listed';
    const first = await gateway.call<{ next: string }>('GET', `/v1/endpoints${list}&limit=2`);
    expect(first.json).toMatchObject({ items: [{ id: ids[0] }, { id: ids[1] }] });
    expect(
      (await gateway.call('GET', `/v1/endpoints${list}&cursor=${first.json.next}`)).json,
    ).toMatchObject({ items: [{ id: ids[2] }], next: null });
    expect((await gateway.call('GET', `/v1/endpoints${list}&state=paused`)).json).toMatchObject({
      items: [{ id: ids[1] }],
    });
  });

  it('hides the query of a URL in lists only', async () => {
    const secretUrl = `${url}?token=secret`;
    const id = await create({ application: 'hidden', url: secretUrl });
    const { json } = await gateway.call('GET', '/v1/endpoints?application=hidden');
    expect(json).toMatchObject({ items: [{ id, url: `${url}?***` }] });
    expect((await gateway.call('GET', `/v1/endpoints/${id}`)).json).toMatchObject({
      url: secretUrl,
    });
  });

  it('refuses a name that another endpoint of the application has', async () => {
    await create({ application: 'twice', name: 'same' });
    expect(await post({ application: 'twice', name: 'same', url })).toMatchObject({
      status: 409,
      json: { code: 'ENDPOINT_EXISTS' },
    });
    await create({ application: 'other', name: 'same' });
  });

  it('removes an endpoint, and answers 404 for unknown ones', async () => {
    const id = await create();
    expect((await call('DELETE', id)).status).toBe(204);
    for (const other of [id, 'x', unknownId]) {
      expect(await call('GET', other)).toMatchObject(missing);
      expect(await call('PATCH', other, {})).toMatchObject(missing);
      expect(await call('DELETE', other)).toMatchObject(missing);
      expect(await call('GET', `${other}/secrets`)).toMatchObject(missing);
      for (const action of ['pause', 'resume', 'disable', 'enable', 'test', 'secrets']) {
        expect(await call('POST', `${other}/${action}`), action).toMatchObject(missing);
      }
    }
  });

  describe('state', () => {
    it('changes by pause and resume', async () => {
      const id = await create();
      expect(await call('POST', `${id}/pause`, { reason: 'maintenance' })).toMatchObject({
        status: 200,
        json: { state: 'paused', stateReason: 'maintenance' },
      });
      expect(await call('POST', `${id}/enable`)).toMatchObject({
        status: 409,
        json: { code: 'ENDPOINT_STATE' },
      });
      expect(await call('POST', `${id}/resume`)).toMatchObject({
        status: 200,
        json: { state: 'active', stateReason: null },
      });
    });

    it('changes by disable and enable', async () => {
      const id = await create();
      expect((await call('POST', `${id}/disable`)).json).toMatchObject({
        state: 'disabled',
        stateReason: 'by request',
      });
      for (const action of ['pause', 'resume']) {
        expect(await call('POST', `${id}/${action}`)).toMatchObject({ status: 409 });
      }
      expect((await call('POST', `${id}/enable`)).json).toMatchObject({ state: 'active' });
      expect((await call('POST', `${id}/pause`, { why: 'x' })).status).toBe(422);
    });
  });

  it('sends a test event', async () => {
    const id = await create();
    const answer = await gateway.call<{ callbackId: string }>('POST', `/v1/endpoints/${id}/test`);
    expect(answer.status).toBe(201);
    const callback = await gateway.call('GET', String(answer.headers.location));
    expect(callback.json).toMatchObject({
      id: answer.json.callbackId,
      endpointId: id,
      queue: null,
      request: { url, text: expect.stringContaining('"name":"posthaste.test"') },
    });
    const listed = await gateway.call('GET', `/v1/callbacks?endpointId=${id.replaceAll('-', '')}`);
    expect(listed.json).toMatchObject({ items: [{ id: answer.json.callbackId }] });
  });

  it('rotates its secret', async () => {
    const id = await create();
    expect(await call('POST', `${id}/secrets`, { kind: 'ed25519' })).toMatchObject({
      status: 201,
      json: { version: 2, kind: 'ed25519', secret: expect.stringMatching(/^whsk_/) },
    });
    const view = await call('GET', `${id}/secrets`);
    expect(view.json).toMatchObject({
      versions: [
        { version: 2, publicKey: expect.stringMatching(/^whpk_/), expiresAt: null },
        { version: 1, expiresAt: expect.any(String) },
      ],
    });
    expect(view.body).not.toMatch(/whsec_|whsk_/);
    expect((await call('POST', `${id}/secrets`)).json).toMatchObject({ version: 3 });
  });
});

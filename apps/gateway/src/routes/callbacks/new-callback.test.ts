import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createCallback,
  getCallback,
  openTestCallbacks,
  type TestCallbacks,
} from '../../../test/test-callbacks.js';

interface Callback {
  readonly id: string;
  readonly state: string;
  readonly request: { readonly text: string | null; readonly headers: Record<string, string> };
}

const url = 'https://example.com/hook';
const moment = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describeWithPostgres('POST /v1/callbacks creates', () => {
  let gateway: TestCallbacks;
  const create = (body: object) => createCallback(gateway, body);
  const get = (id: string) => getCallback<Callback>(gateway, id);

  beforeAll(async () => {
    gateway = await openTestCallbacks({ allowedNetworks: ['10.20.0.0/16'] });
  });
  afterAll(() => gateway.close());

  it.each(['/v1/callbacks', '/v1/callbacks/batch'])(
    'by %s a callback with the trace of its request, which its own headers may not set',
    async (path) => {
      const trace = {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'vendor=a',
      };
      const callback = { url, headers: { 'x-one': '1' } };
      const body = path.endsWith('batch') ? { items: [callback] } : callback;
      interface Accepted {
        readonly id: string;
        readonly items?: readonly { readonly callback: { readonly id: string } }[];
      }
      const { json } = await gateway.call.with(trace)<Accepted>('POST', path, body);
      const { request } = await get(json.items?.[0]?.callback.id ?? json.id);
      expect(request.headers).toEqual({ 'x-one': '1', ...trace });
      const asHeaders = { url, headers: trace };
      expect((await gateway.call('POST', '/v1/callbacks', asHeaders)).status).toBe(422);
    },
  );

  it('a callback from only a url', async () => {
    const answer = await gateway.call<{ id: string }>('POST', '/v1/callbacks', { url });
    const { id } = answer.json;
    expect(answer.status).toBe(201);
    expect(answer.headers.location).toBe(`/v1/callbacks/${id}`);
    const common = { id, application: '', queue: null, createdAt: moment };
    expect(answer.json).toEqual({ ...common, method: 'POST', url });
    expect(await get(id)).toEqual({
      ...common,
      endpointId: null,
      state: 'pending',
      hold: null,
      cancelling: false,
      dueAt: moment,
      expiresAt: null,
      endedAt: null,
      request: {
        url,
        method: 'POST',
        headers: {},
        text: null,
        base64: null,
        timeoutMs: 15_000,
        retry: { phases: [] },
        secret: null,
        notificationEmail: null,
      },
      attempts: [],
      leases: [],
      shortened: false,
    });
  });

  it('a callback with every field', async () => {
    await gateway.call('POST', '/v1/secrets', { application: 'shop', name: 'orders' });
    const id = await create({
      url,
      method: 'PATCH',
      headers: { 'X-Shop': 'berlin' },
      text: 'grüß dich',
      application: 'shop',
      queue: 'q',
      deliverAfter: '2030-01-02T03:04:05+01:00',
      expiresAt: '2031-01-02T03:04:05Z',
      timeoutMs: 28_000,
      retry: { phases: [{ retries: 3, delayMs: 1_500.000001 }] },
      secret: 'orders',
      notificationEmail: 'ops@example.com',
    });
    expect(await get(id)).toMatchObject({
      application: 'shop',
      queue: 'q',
      state: 'pending',
      dueAt: '2030-01-02T02:04:05.000Z',
      expiresAt: '2031-01-02T03:04:05.000Z',
      request: {
        method: 'PATCH',
        headers: { 'X-Shop': 'berlin' },
        text: 'grüß dich',
        timeoutMs: 28_000,
        retry: { phases: [{ retries: 3, delayMs: 1_500.000001 }] },
        secret: 'orders',
        notificationEmail: 'ops@example.com',
      },
    });
  });

  it.each([
    '{"amount":1e400}',
    '18446744073709551615',
    '{ "n": 9007199254740993,\n\t"list": [1.50, -0.0, 1E5, null] }',
    '{"b":"\\u00fc \\/ \\ud83d","a":"ü","b":2}',
    `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
  ])('a JSON body byte for byte as it is written, with its content type: %s', async (source) => {
    const callback = `{"json" : ${source} ,"url":"${url}"}`;
    const one = await gateway.call<{ id: string }>('POST', '/v1/callbacks', callback);
    const batch = await gateway.call<{ items: { callback: { id: string } }[] }>(
      'POST',
      '/v1/callbacks/batch',
      `{"items":[{"url":"${url}","json":0}, ${callback} ]}`,
    );
    for (const id of [one.json.id, batch.json.items[1]?.callback.id ?? '']) {
      expect((await get(id)).request).toMatchObject({
        headers: { 'content-type': 'application/json' },
        text: source,
      });
    }
  });

  it('a JSON body with the content type that the caller sets', async () => {
    const headers = { 'Content-Type': 'application/cloudevents+json' };
    const id = await create({ url, headers, json: null });
    expect((await get(id)).request).toMatchObject({ headers, text: 'null' });
  });

  it('a body from base64', async () => {
    expect((await get(await create({ url, base64: '/+8=' }))).request).toMatchObject({
      text: null,
      base64: '/+8=',
    });
    expect((await get(await create({ url, base64: '' }))).request).toMatchObject({ text: '' });
  });

  it('a callback with exponential retries, and one with a named policy', async () => {
    const exponential = { initialDelayMs: 1_000, factor: 2, maxAgeMs: 60_000 };
    await gateway.call('PUT', '/v1/retry-policies/patient', { exponential });
    const retry = { exponential: expect.objectContaining(exponential) };
    const ids = [
      await create({ url, retry: { exponential } }),
      await create({ url, retry: { policy: 'patient' } }),
    ];
    for (const id of ids) expect((await get(id)).request).toMatchObject({ retry });
  });

  it('a callback to a private network that is allowed', async () => {
    await create({ url: 'http://10.20.30.40/' });
  });
});

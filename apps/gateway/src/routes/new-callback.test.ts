import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../test/test-callbacks.js';

interface Callback {
  readonly id: string;
  readonly state: string;
  readonly request: { readonly text: string | null; readonly headers: Record<string, string> };
}

interface Problem {
  readonly code: string;
  readonly details: readonly { readonly field: string; readonly message: string }[];
}

const url = 'https://example.com/hook';
const moment = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describeWithPostgres('POST /v1/callbacks', () => {
  let gateway: TestCallbacks;
  const create = async (body: object) => {
    const answer = await gateway.call<{ id: string }>('POST', '/v1/callbacks', body);
    expect(answer).toMatchObject({ status: 201 });
    return answer.json.id;
  };
  const get = async (id: string) =>
    (await gateway.call<Callback>('GET', `/v1/callbacks/${id}`)).json;
  const refusal = (body: unknown) => gateway.call<Problem>('POST', '/v1/callbacks', body);

  beforeAll(async () => {
    gateway = await openTestCallbacks({ allowedNetworks: ['10.20.0.0/16'] });
  });
  afterAll(() => gateway.close());

  describe('hands in', () => {
    it.each(['/v1/callbacks', '/v1/callbacks/batch'])(
      'a callback with the trace of its request by %s, which it may not name itself',
      async (path) => {
        const trace = {
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          tracestate: 'vendor=a',
        };
        const callback = { url, headers: { 'x-one': '1' } };
        const body = path.endsWith('batch') ? { items: [callback] } : callback;
        interface Taken {
          readonly id: string;
          readonly items?: readonly { readonly callback: { readonly id: string } }[];
        }
        const { json } = await gateway.call<Taken>('POST', path, body, trace);
        const { request } = await get(json.items?.[0]?.callback.id ?? json.id);
        expect(request.headers).toEqual({ 'x-one': '1', ...trace });
        expect((await refusal({ url, headers: trace })).status).toBe(422);
      },
    );

    it('a callback with nothing but its url', async () => {
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

    it('a callback with everything', async () => {
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

    it('JSON without spaces, with its content type, and with every digit of its integers', async () => {
      const body = `{"url":"${url}","json": {"n": 9007199254740993, "list": [1.5, null]}}`;
      const { json } = await gateway.call<{ id: string }>('POST', '/v1/callbacks', body);
      expect((await get(json.id)).request).toMatchObject({
        headers: { 'content-type': 'application/json' },
        text: '{"n":9007199254740993,"list":[1.5,null]}',
      });
    });

    it('JSON under the content type that the caller gives', async () => {
      const headers = { 'Content-Type': 'application/cloudevents+json' };
      const id = await create({ url, headers, json: null });
      expect((await get(id)).request).toMatchObject({ headers, text: 'null' });
    });

    it('bytes as base64', async () => {
      expect((await get(await create({ url, base64: '/+8=' }))).request).toMatchObject({
        text: null,
        base64: '/+8=',
      });
      expect((await get(await create({ url, base64: '' }))).request).toMatchObject({ text: '' });
    });

    it('with waits that grow, and with a policy by its name', async () => {
      const exponential = { initialDelayMs: 1_000, factor: 2, maxAgeMs: 60_000 };
      await gateway.call('PUT', '/v1/retry-policies/patient', { exponential });
      const retry = { exponential: expect.objectContaining(exponential) };
      const ids = [
        await create({ url, retry: { exponential } }),
        await create({ url, retry: { policy: 'patient' } }),
      ];
      for (const id of ids) expect((await get(id)).request).toMatchObject({ retry });
    });

    it('to a network inside that is allowed', async () => {
      await create({ url: 'http://10.20.30.40/' });
    });
  });

  describe('refuses', () => {
    it.each<[name: string, body: unknown, fields: string[]]>([
      ['no url', {}, ['url']],
      ['an empty url', { url: '' }, ['url']],
      [
        'wrong types',
        { url: 1, headers: { a: 2 }, timeoutMs: 'x' },
        ['headers.a', 'timeoutMs', 'url'],
      ],
      ['what is no object', '[]', ['body']],
      ['no body at all', undefined, ['body']],
      ['keys that it does not know', { url, ulr: 1 }, ['ulr']],
      ['an unknown method', { url, method: 'BREW' }, ['method']],
      [
        'a negative delay',
        { url, retry: { phases: [{ retries: 1, delayMs: -1 }] } },
        ['retry.phases.0.delayMs'],
      ],
      [
        'parts of an attempt',
        { url, retry: { phases: [{ retries: 0.5, delayMs: 1 }] } },
        ['retry.phases.0.retries'],
      ],
      [
        'a huge delay',
        { url, retry: { phases: [{ retries: 1, delayMs: 1e300 }] } },
        ['retry.phases.0.delayMs'],
      ],
      [
        'parts of a nanosecond',
        { url, retry: { phases: [{ retries: 1, delayMs: 1e-7 }] } },
        ['phases[0].delayMs'],
      ],
      ['no retry rule', { url, retry: {} }, ['retry']],
      ['two retry rules', { url, retry: { phases: [], policy: 'p' } }, ['retry']],
      ['a time without its zone', { url, expiresAt: '2030-01-02T03:04:05' }, ['expiresAt']],
      ['a date that is none', { url, deliverAfter: '2030-02-30T00:00:00Z' }, ['deliverAfter']],
      ['a fractional timeout', { url, timeoutMs: 1.5 }, ['timeoutMs']],
    ])('%s, with REQUEST_INVALID', async (_name, body, fields) => {
      const { status, json } = await refusal(body);
      expect({ status, code: json.code }).toEqual({ status: 422, code: 'REQUEST_INVALID' });
      expect(json.details.map(({ field }) => field).sort()).toEqual(fields);
    });

    it.each<[name: string, body: unknown, fields: string[]]>([
      ['an ftp url', { url: 'ftp://example.com/' }, ['url']],
      ['a relative url', { url: '/hook' }, ['url']],
      ['a url with credentials', { url: 'https://me:secret@example.com/' }, ['url']],
      ['CR and LF in a header', { url, headers: { a: 'b\r\nc: d' } }, ['headers.a']],
      ['LF in the name of a header', { url, headers: { 'a\nb': 'c' } }, ['headers.a\nb']],
      [
        'a header that signs',
        { url, headers: { 'Webhook-Signature': 'v1,x' } },
        ['headers.Webhook-Signature'],
      ],
      ['bad base64', { url, base64: 'AA*=' }, ['base64']],
      ['two bodies', { url, json: {}, text: '' }, ['text']],
      ['a body that is not sent', { url, method: 'GET', text: 'x' }, ['text']],
      ['a timeout beyond the lease', { url, timeoutMs: 28_001 }, ['timeoutMs']],
      ['an address that is none', { url, notificationEmail: 'nobody' }, ['notificationEmail']],
      ['a time beyond ten years', { url, deliverAfter: '2999-01-01T00:00:00Z' }, ['deliverAfter']],
      [
        'all that is wrong at once',
        { url: 'ftp://a', queue: 'a\nb', timeoutMs: 99_999 },
        ['queue', 'timeoutMs', 'url'],
      ],
    ])('%s, with CALLBACK_INVALID', async (_name, body, fields) => {
      const { status, json } = await refusal(body);
      expect({ status, code: json.code }).toEqual({ status: 422, code: 'CALLBACK_INVALID' });
      expect(json.details.map(({ field }) => field).sort()).toEqual(fields);
    });

    it.each([
      'http://127.0.0.1/',
      'http://localhost/',
      'http://a.localhost:8080/',
      'http://2130706433/',
      'http://0x7f.1/',
      'http://[::1]/',
      'http://[::ffff:10.0.0.1]/',
      'http://10.0.0.1/',
      'http://192.168.1.1/',
      'http://169.254.169.254/latest/meta-data',
      'http://0.0.0.0/',
    ])('the address inside %s', async (inside) => {
      for (let i = 0; i < 2; i += 1) {
        const { status, json } = await refusal({ url: inside });
        expect({ status, code: json.code }).toEqual({ status: 422, code: 'CALLBACK_INVALID' });
        expect(json.details).toEqual([
          { field: 'url', message: expect.stringContaining('are not allowed (') },
        ]);
      }
    });

    it.each(['{"url":', '', '{"url":"http://a.b/"} x'])('what is not JSON: %s', async (body) => {
      expect(await refusal(body)).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
    });

    it('what is not UTF-8, whatever the charset says', async () => {
      const latin1 = Buffer.from(`{"url":"${url}","text":"grüß dich"}`, 'latin1');
      const answer = await gateway.call('POST', '/v1/callbacks', latin1, {
        'content-type': 'application/json; charset=latin1',
      });
      expect(answer).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
    });

    it('what is nested so deep that it cannot be sent', async () => {
      const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
      const body = `{"url":"${url}","json":${nested}}`;
      const { status, json } = await refusal(body);
      expect({ status, code: json.code }).toEqual({ status: 422, code: 'CALLBACK_INVALID' });
      const batch = await gateway.call('POST', '/v1/callbacks/batch', `{"items":[${body}]}`);
      expect(batch.json).toMatchObject({ items: [{ status: 422 }] });
    });

    it.each([
      ['text', { url, text: '\ud800' }],
      ['application', { url, application: 'a\udfff' }],
      ['queue', { url, queue: '\ud83d' }],
      ['url', { url: `${url}\ud83d` }],
    ])('half a character in %s', async (field, body) => {
      const { status, json } = await refusal(body);
      expect({ status, fields: json.details.map((fault) => fault.field) }).toEqual({
        status: 422,
        fields: [field],
      });
    });

    it('other media types, and bodies of two mebibytes', async () => {
      const typed = await gateway.call('POST', '/v1/callbacks', '{}', {
        'content-type': 'text/plain',
      });
      expect(typed).toMatchObject({ status: 415, json: { code: 'MEDIA_TYPE_UNSUPPORTED' } });
      const large = await refusal({ url, text: 'x'.repeat(2 * 1_048_576) });
      expect(large).toMatchObject({ status: 413, json: { code: 'REQUEST_TOO_LARGE' } });
    });

    it('policies and secrets that there are not', async () => {
      const policy = await refusal({ url, retry: { policy: 'none' } });
      expect(policy).toMatchObject({ status: 404, json: { code: 'POLICY_NOT_FOUND' } });
      const secret = await refusal({ url, secret: 'none' });
      expect(secret).toMatchObject({ status: 404, json: { code: 'SECRET_NOT_FOUND' } });
    });
  });
});

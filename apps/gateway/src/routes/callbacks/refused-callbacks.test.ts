import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';

interface Problem {
  readonly code: string;
  readonly details: readonly { readonly field: string; readonly message: string }[];
}

const url = 'https://example.com/hook';

describeWithPostgres('POST /v1/callbacks refuses', () => {
  let gateway: TestCallbacks;
  const refusal = (body: unknown) => gateway.call<Problem>('POST', '/v1/callbacks', body);

  beforeAll(async () => {
    gateway = await openTestCallbacks({ allowedNetworks: ['10.20.0.0/16'] });
  });
  afterAll(() => gateway.close());

  it.each<[name: string, body: unknown, fields: string[]]>([
    ['no url', {}, ['url']],
    ['an empty url', { url: '' }, ['url']],
    [
      'wrong types',
      { url: 1, headers: { a: 2 }, timeoutMs: 'x' },
      ['headers.a', 'timeoutMs', 'url'],
    ],
    ['a body that is no object', '[]', ['body']],
    ['a missing body', undefined, ['body']],
    ['unknown keys', { url, ulr: 1 }, ['ulr']],
    ['an unknown method', { url, method: 'BREW' }, ['method']],
    [
      'a negative delay',
      { url, retry: { phases: [{ retries: 1, delayMs: -1 }] } },
      ['retry.phases.0.delayMs'],
    ],
    [
      'a fraction of an attempt',
      { url, retry: { phases: [{ retries: 0.5, delayMs: 1 }] } },
      ['retry.phases.0.retries'],
    ],
    [
      'a huge delay',
      { url, retry: { phases: [{ retries: 1, delayMs: 1e300 }] } },
      ['retry.phases.0.delayMs'],
    ],
    [
      'a fraction of a nanosecond',
      { url, retry: { phases: [{ retries: 1, delayMs: 1e-7 }] } },
      ['phases[0].delayMs'],
    ],
    ['no retry rule', { url, retry: {} }, ['retry']],
    ['two retry rules', { url, retry: { phases: [], policy: 'p' } }, ['retry']],
    ['a time without its zone', { url, expiresAt: '2030-01-02T03:04:05' }, ['expiresAt']],
    ['a date that does not exist', { url, deliverAfter: '2030-02-30T00:00:00Z' }, ['deliverAfter']],
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
      'a header of the signature',
      { url, headers: { 'Webhook-Signature': 'v1,x' } },
      ['headers.Webhook-Signature'],
    ],
    ['bad base64', { url, base64: 'AA*=' }, ['base64']],
    ['two bodies', { url, json: {}, text: '' }, ['text']],
    ['a body with a method that sends none', { url, method: 'GET', text: 'x' }, ['text']],
    ['a timeout beyond the lease', { url, timeoutMs: 28_001 }, ['timeoutMs']],
    ['an invalid mail address', { url, notificationEmail: 'nobody' }, ['notificationEmail']],
    [
      'a time more than ten years ahead',
      { url, deliverAfter: '2999-01-01T00:00:00Z' },
      ['deliverAfter'],
    ],
    [
      'several faults, all reported at once',
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
  ])('the private address %s', async (privateUrl) => {
    for (let i = 0; i < 2; i += 1) {
      const { status, json } = await refusal({ url: privateUrl });
      expect({ status, code: json.code }).toEqual({ status: 422, code: 'CALLBACK_INVALID' });
      expect(json.details).toEqual([
        { field: 'url', message: expect.stringContaining('are not allowed (') },
      ]);
    }
  });

  it.each([
    ['http://127.0.0.1/', 'POSTHASTE_ALLOW_LOOPBACK=true allows it'],
    ['http://localhost/', 'POSTHASTE_ALLOW_LOOPBACK=true allows it'],
    ['http://10.0.0.1/', 'POSTHASTE_ALLOWED_NETWORKS can allow its network'],
    ['http://[fd00::1]/', 'POSTHASTE_ALLOWED_NETWORKS can allow its network'],
  ])('the private address %s, with the setting that allows it', async (privateUrl, advice) => {
    const { json } = await refusal({ url: privateUrl });
    expect(json.details).toEqual([{ field: 'url', message: expect.stringContaining(advice) }]);
  });

  it.each(['{"url":', '', '{"url":"http://a.b/"} x'])(
    'a body that is not JSON: %s',
    async (body) => {
      expect(await refusal(body)).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
    },
  );

  it('a body that is not UTF-8, whatever its charset', async () => {
    const latin1 = Buffer.from(`{"url":"${url}","text":"grüß dich"}`, 'latin1');
    const call = gateway.call.with({ 'content-type': 'application/json; charset=latin1' });
    const answer = await call('POST', '/v1/callbacks', latin1);
    expect(answer).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
  });

  it.each([
    ['text', { url, text: '\ud800' }],
    ['application', { url, application: 'a\udfff' }],
    ['queue', { url, queue: '\ud83d' }],
    ['url', { url: `${url}\ud83d` }],
  ])('half a surrogate pair in %s', async (field, body) => {
    const { status, json } = await refusal(body);
    expect({ status, fields: json.details.map((fault) => fault.field) }).toEqual({
      status: 422,
      fields: [field],
    });
  });

  it('other media types, and bodies of 2 MiB', async () => {
    const asText = gateway.call.with({ 'content-type': 'text/plain' });
    const typed = await asText('POST', '/v1/callbacks', '{}');
    expect(typed).toMatchObject({ status: 415, json: { code: 'MEDIA_TYPE_UNSUPPORTED' } });
    const large = await refusal({ url, text: 'x'.repeat(2 * 1_048_576) });
    expect(large).toMatchObject({ status: 413, json: { code: 'REQUEST_TOO_LARGE' } });
  });

  it('policies and secrets that do not exist', async () => {
    const policy = await refusal({ url, retry: { policy: 'none' } });
    expect(policy).toMatchObject({ status: 404, json: { code: 'POLICY_NOT_FOUND' } });
    const secret = await refusal({ url, secret: 'none' });
    expect(secret).toMatchObject({ status: 404, json: { code: 'SECRET_NOT_FOUND' } });
  });
});

import { startReceiver } from '@posthaste/testbed/receiver';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';
import { startTestWorker } from '../../../test/test-worker.js';

/** Status of a callback as clients of the compatible API read it. */
interface Status {
  readonly id: string;
  readonly request: {
    readonly postdata: { readonly headers: object | null; readonly data: string | null };
    readonly retryphases: readonly object[] | null;
  };
  readonly attempts: readonly { readonly statuscode: number; readonly duration: number }[];
  readonly locks: readonly { readonly completed: boolean }[];
  readonly success: boolean;
}

const url = 'https://example.com/callback';
const contentType = 'application/json; charset=UTF-8';

describeWithPostgres('/callback', () => {
  let gateway: TestCallbacks;
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    gateway.call.with(headers)<Status>('POST', '/callback', body);
  const get = (id: string) => gateway.call<Status>('GET', `/callback/${id}`);

  beforeAll(async () => {
    gateway = await openTestCallbacks({ allowLoopback: true });
  });
  afterAll(() => gateway.close());

  it('accepts a request as existing clients send it, and answers with its status', async () => {
    const request = {
      url: 'http://127.0.0.1:9000/callback',
      method: 'GET',
      postdata: { headers: { 'x-header-one': 'v' }, data: null },
      retryphases: [{ retries: 1, delay: 300_000_000_000 }],
      applicationid: 'test',
      queueid: 'q',
      notificationemailaddress: 'a@example.com',
    };
    const answer = await post(request);
    expect(answer.status).toBe(201);
    expect(answer.headers['content-type']).toBe(contentType);
    const { id } = answer.json;
    expect(answer.json).toEqual({ id, request, attempts: [], locks: [], success: false });
    const status = await get(id);
    expect(status.status).toBe(200);
    expect(status.headers['content-type']).toBe(contentType);
    expect(status.json).toEqual(answer.json);
  });

  it('shows attempts and locks', async () => {
    const receiver = await startReceiver([
      {
        kind: 'respond',
        status: 500,
        headers: { 'x-why': 'tired', 'Set-Cookie': ['a=1', 'b=2'] },
        body: 'no',
      },
      200,
    ]);
    const worker = await startTestWorker(gateway.db);
    try {
      const { json } = await post({
        url: `${receiver.url}/a`,
        method: 'POST',
        retryphases: [{ retries: 1, delay: 1 }],
      });
      await vi.waitFor(async () => expect((await get(json.id)).json.success).toBe(true), 10_000);
      const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const lock = { acquired: time, timeout: time, completed: true, machinename: 'test worker' };
      const duration = expect.any(Number);
      expect((await get(json.id)).json).toMatchObject({
        attempts: [
          {
            statuscode: 500,
            response: {
              headers: expect.objectContaining({ 'x-why': 'tired', 'set-cookie': 'a=1, b=2' }),
              data: Buffer.from('no').toString('base64'),
            },
            time,
            duration,
          },
          { statuscode: 200, response: { data: '' }, time, duration },
        ],
        locks: [lock, lock],
        success: true,
      });
    } finally {
      await worker.close();
      await receiver.close();
    }
  });

  it('keeps delays exact beyond 2^53', async () => {
    const body = `{"url":"${url}","retryphases":[{"retries":1,"delay":9007199254740993}]}`;
    const answer = await post(body);
    expect(answer.status).toBe(201);
    expect(answer.body).toContain('"delay":9007199254740993}');
    expect((await get(answer.json.id)).body).toContain('"delay":9007199254740993}');
  });

  it('distinguishes no data from empty data', async () => {
    const dataOf = async (data: unknown) => {
      const { json } = await post({ url, method: 'POST', postdata: { headers: null, data } });
      return (await get(json.id)).json.request.postdata.data;
    };
    expect(await dataOf(null)).toBeNull();
    expect(await dataOf('')).toBe('');
    expect(await dataOf('/+8=')).toBe('/+8=');
  });

  it('reads keys in any case, ignores unknown keys, and fills in missing ones', async () => {
    const odd = {
      URL: url,
      PostData: { HEADERS: { A: 'b' } },
      RetryPhases: [{ Delay: 5 }],
      more: 1,
    };
    expect((await post(odd)).json.request).toEqual({
      url,
      method: '',
      postdata: { headers: { A: 'b' }, data: null },
      retryphases: [{ retries: 0, delay: 5 }],
      applicationid: '',
      queueid: '',
      notificationemailaddress: '',
    });
    expect((await post({ url, postdata: null, retryphases: null })).status).toBe(201);
  });

  it('shows left-out phases, headers and data as null, and empty ones as empty', async () => {
    const shown = async (body: object) => {
      const made = await post(body);
      const { json } = await get(made.json.id);
      expect(json.request).toEqual(made.json.request);
      return [json.request.retryphases, json.request.postdata];
    };
    expect(await shown({ url })).toEqual([null, { headers: null, data: null }]);
    const empty = { retryphases: [], postdata: { headers: {}, data: '' } };
    expect(await shown({ url, ...empty })).toEqual([[], { headers: {}, data: '' }]);
    const broken = { headers: null, data: 'eHh4\r\neHh4\n' };
    expect(await shown({ url, postdata: broken })).toEqual([
      null,
      { headers: null, data: 'eHh4eHh4' },
    ]);
  });

  describe('refuses', () => {
    const bad: [name: string, body: unknown, field: string][] = [
      ['no url', {}, 'url'],
      ['an ftp url', { url: 'ftp://example.com/' }, 'url'],
      ['a relative url', { url: '/callback' }, 'url'],
      ['a url of a wrong type', { url: 7 }, 'url'],
      ['an unknown method', { url, method: 'BREW' }, 'method'],
      ['a method of the native API', { url, method: 'DELETE' }, 'method'],
      ['a queue of control characters', { url, queueid: 'a\u0000' }, 'queueid'],
      [
        'an application name that is too long',
        { url, applicationid: 'a'.repeat(257) },
        'applicationid',
      ],
      [
        'CR and LF in a header',
        { url, postdata: { headers: { a: 'b\r\nc: d' } } },
        'postdata.headers.a',
      ],
      [
        'LF in a header name',
        { url, postdata: { headers: { 'a\nb': 'c' } } },
        'postdata.headers.a\nb',
      ],
      [
        'a header that Posthaste sets itself',
        { url, postdata: { headers: { Host: 'x' } } },
        'postdata.headers.Host',
      ],
      [
        'a header that is not a string',
        { url, postdata: { headers: { a: 1 } } },
        'postdata.headers',
      ],
      ['data that is not base64', { url, postdata: { data: 'AA*=' } }, 'postdata.data'],
      ['data without padding', { url, postdata: { data: 'AAA' } }, 'postdata.data'],
      [
        'a negative delay',
        { url, retryphases: [{ retries: 1, delay: -1 }] },
        'retryphases[0].delay',
      ],
      [
        'a fractional delay',
        { url, retryphases: [{ retries: 1, delay: 1.5 }] },
        'retryphases[0].delay',
      ],
      [
        'a huge delay',
        '{"url":"http://a.b/","retryphases":[{"delay":9223372036854775808}]}',
        'retryphases[0].delay',
      ],
      [
        'a negative number of retries',
        { url, retryphases: [{ retries: -1 }] },
        'retryphases[0].retries',
      ],
      [
        'a fractional number of retries',
        { url, retryphases: [{ retries: 0.5 }] },
        'retryphases[0].retries',
      ],
      [
        'an invalid mail address',
        { url, notificationemailaddress: 'nobody' },
        'notificationemailaddress',
      ],
    ];

    it('a body that is not UTF-8', async () => {
      const answer = await post(Buffer.from('{"url":"http://a.b/\xe9"}', 'latin1'));
      expect(answer).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
    });

    it.each(bad)('%s', async (_name, body, field) => {
      const answer = await gateway.call<{ code: string; details: { field: string }[] }>(
        'POST',
        '/callback',
        body,
      );
      expect(answer.status).toBe(422);
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(answer.json.code).toBe('CALLBACK_INVALID');
      expect(answer.json.details.map((fault) => fault.field)).toEqual([field]);
    });

    it.each([['{"url":'], ['[]'], ['null'], ['"text"'], [''], ['{"url":"http://a.b/"} ]']])(
      'a body that is no JSON object: %s',
      async (body) => {
        const answer = await gateway.call('POST', '/callback', body);
        expect(answer).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
      },
    );

    it('a body with another Content-Type than JSON', async () => {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) {
        const answer = await post({ url }, { 'content-type': type });
        expect(answer).toMatchObject({ status: 415, json: { code: 'MEDIA_TYPE_UNSUPPORTED' } });
      }
    });

    it('a body of more than 1 MiB', async () => {
      const padded = (bytes: number) => {
        const frame = `{"url":"${url}","pad":""}`;
        return `{"url":"${url}","pad":"${'x'.repeat(bytes - frame.length)}"}`;
      };
      expect((await post(padded(1_048_576))).status).toBe(201);
      const answer = await post(padded(1_048_577));
      expect(answer).toMatchObject({ status: 413, json: { code: 'REQUEST_TOO_LARGE' } });
      expect((await post(padded(2 * 1_048_576))).status).toBe(413);
    });
  });

  it('accepts JSON with a charset in its Content-Type', async () => {
    expect(
      (await post({ url }, { 'content-type': 'application/json; charset=utf-8' })).status,
    ).toBe(201);
  });

  it('finds a callback by its id in any spelling, and answers 404 to any other text', async () => {
    const { id } = (await post({ url })).json;
    expect((await get(id.replaceAll('-', ''))).json.id).toBe(id);
    expect((await get(id.toUpperCase())).json.id).toBe(id);
    for (const other of [
      `${id.slice(0, -1)}x`,
      'x',
      '%00',
      '01890000-0000-7000-8000-000000000000',
    ]) {
      expect(await get(other)).toMatchObject({ status: 404, json: { code: 'CALLBACK_NOT_FOUND' } });
    }
  });

  it('answers a repeated request under the same Idempotency-Key with the first answer', async () => {
    const headers = { 'idempotency-key': 'compatible' };
    const first = await post({ url }, headers);
    const second = await post({ url }, headers);
    expect(first.headers).not.toHaveProperty('idempotent-replayed');
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect([second.status, second.body]).toEqual([201, first.body]);
    expect(await post({ url, method: 'PUT' }, headers)).toMatchObject({
      status: 409,
      json: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
  });
});

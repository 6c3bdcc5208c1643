import { describe, expect, it } from 'vitest';
import {
  newCompatibleStatus,
  parseCompatibleRequest,
  toCompatibleStatus,
} from './compatible-api.js';
import type { CallbackView } from './lookup/callback-view.js';
import { toCallbackRequest } from './request/request.js';
import { fromStoredPolicy, toStoredPolicy } from './retry/retry-policy.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };
const codeOf = (text: string): string => {
  try {
    parseCompatibleRequest(text);
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('compatible API', () => {
  it('reads keys in any case and ignores unknown ones', () => {
    const input = parseCompatibleRequest(
      '{"URL":"http://a.example/","Method":"PUT","PostData":{"Headers":{"X-One":"v"},"DATA":"eA=="},"QueueID":"q","other":[1]}',
    );
    expect(input).toMatchObject({
      url: 'http://a.example/',
      method: 'PUT',
      headers: { 'X-One': 'v' },
      body: Buffer.from('x'),
      queue: 'q',
    });
  });

  it('keeps delays exact beyond 2^53, in and out', () => {
    const text =
      '{"url":"http://a.example/","method":"GET","retryphases":[{"retries":1,"delay":9007199254740993}]}';
    const request = toCallbackRequest(parseCompatibleRequest(text), rules);
    expect(newCompatibleStatus('id', request)).toContain('"delay":9007199254740993');
  });

  it('distinguishes missing data from empty data', () => {
    const status = (data: string): string =>
      newCompatibleStatus(
        'id',
        toCallbackRequest(
          parseCompatibleRequest(`{"url":"http://a.example/","postdata":{"data":${data}}}`),
          rules,
        ),
      );
    expect(status('null')).toContain('"data":null');
    expect(status('""')).toContain('"data":""');
  });

  it('writes missing members as null or their zero value', () => {
    const request = toCallbackRequest(parseCompatibleRequest('{"url":"http://a.example/"}'), rules);
    expect(JSON.parse(newCompatibleStatus('1', request))).toEqual({
      id: '1',
      request: {
        url: 'http://a.example/',
        method: '',
        postdata: { headers: null, data: null },
        retryphases: null,
        applicationid: '',
        queueid: '',
        notificationemailaddress: '',
      },
      attempts: [],
      locks: [],
      success: false,
    });
  });

  it.each(['null', '[]', '[{"retries":1,"delay":5}]'])(
    'shows the retry phases %s as they are',
    (phases) => {
      const text = `{"url":"http://a.example/","retryphases":${phases}}`;
      const request = toCallbackRequest(parseCompatibleRequest(text), rules);
      expect(newCompatibleStatus('1', request)).toContain(`"retryphases":${phases},`);
      const stored = JSON.parse(JSON.stringify(toStoredPolicy(request.policy)));
      const read = { ...request, policy: fromStoredPolicy(stored) };
      expect(newCompatibleStatus('1', read)).toContain(`"retryphases":${phases},`);
    },
  );

  it('takes line breaks inside of base64', () => {
    const lines =
      Buffer.from('x'.repeat(100))
        .toString('base64')
        .match(/.{1,76}/g) ?? [];
    for (const lineBreak of ['\n', '\r\n']) {
      const data = JSON.stringify(lines.join(lineBreak) + lineBreak);
      const text = `{"url":"http://a.example/","postdata":{"data":${data}}}`;
      expect(parseCompatibleRequest(text).body?.toString()).toBe('x'.repeat(100));
    }
  });

  it.each([
    ['{', 'REQUEST_INVALID'],
    ['[]', 'REQUEST_INVALID'],
    ['null', 'REQUEST_INVALID'],
    ['{"url":1}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","method":"DELETE"}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","postdata":[]}', 'REQUEST_INVALID'],
    ['{"url":"http://a","postdata":{"headers":{"a":1}}}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","postdata":{"data":"not base64!"}}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","postdata":{"data":"eA"}}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","postdata":{"data":"eA\\n"}}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","postdata":{"data":"eA= ="}}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","postdata":{"data":"e-_="}}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","retryphases":[{"retries":1,"delay":0.5}]}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","retryphases":[{"retries":1,"delay":"5"}]}', 'CALLBACK_INVALID'],
    [
      '{"url":"http://a","retryphases":[{"retries":1,"delay":9223372036854775808}]}',
      'CALLBACK_INVALID',
    ],
    ['{"url":"http://a","retryphases":[{"retries":"1","delay":5}]}', 'CALLBACK_INVALID'],
    ['{"url":"http://a","retryphases":{}}', 'CALLBACK_INVALID'],
  ])('refuses %s', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it('refuses negative delays and retries, bad methods and bad URLs, all at once', () => {
    const input = parseCompatibleRequest(
      '{"url":"ftp://a","method":"BREW","retryphases":[{"retries":-1,"delay":-1}]}',
    );
    let details: unknown;
    try {
      toCallbackRequest(input, rules);
    } catch (error) {
      details = (error as { details: { field: string }[] }).details.map(({ field }) => field);
    }
    expect(details).toEqual(['url', 'method', 'retryPhases[0].retries', 'retryPhases[0].delay']);
  });

  it('shows attempts and locks', () => {
    const view = {
      id: '1',
      application: 'test',
      queue: 'q',
      state: 'delivered',
      request: {
        url: 'http://a.example/',
        method: 'GET',
        headers: undefined,
        body: undefined,
        policy: { kind: 'phases', phases: [] },
        notificationEmail: undefined,
      },
      attempts: [
        {
          statusCode: 200,
          startedAtMs: 1_767_323_045_000,
          durationNs: 1_234_567n,
          responseHeaders: [
            ['set-cookie', 'a=1'],
            ['set-cookie', 'b=2'],
          ],
          responseBody: Buffer.from('ok'),
        },
        { statusCode: 0, startedAtMs: 1_767_323_045_000, durationNs: 0n },
      ],
      leases: [
        {
          machine: 'm',
          acquiredAt: new Date(1_767_323_045_000),
          until: new Date(1_767_323_075_000),
          completedAt: undefined,
        },
      ],
    } as unknown as CallbackView;
    expect(JSON.parse(toCompatibleStatus(view))).toMatchObject({
      success: true,
      attempts: [
        {
          statuscode: 200,
          response: { headers: { 'set-cookie': 'a=1, b=2' }, data: 'b2s=' },
          time: '2026-01-02T03:04:05.000Z',
          duration: 1_234_567,
        },
        { statuscode: 0, response: { headers: null, data: null } },
      ],
      locks: [
        {
          acquired: '2026-01-02T03:04:05.000Z',
          timeout: '2026-01-02T03:04:35.000Z',
          completed: false,
          machinename: 'm',
        },
      ],
    });
  });
});

import { describe, expect, it } from 'vitest';
import { offersEventSubprotocol, readConnectHeaders, toAuthHeaders } from './credential-object.js';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const offer = (protocols: string, more: object = {}, url = '/event/realtime') => ({
  url,
  headers: { 'sec-websocket-protocol': protocols, ...more },
});

describe('credentials of an upgrade', () => {
  it('come from the header entry, before or after the subprotocol, padded or not', () => {
    const object = { host: 'é.example', 'X-Api-Key': 'da2-??>>' };
    const text = encode(object);
    const padded = Buffer.from(JSON.stringify(object)).toString('base64');
    for (const protocols of [
      `aws-appsync-event-ws, header-${text}`,
      `header-${text},aws-appsync-event-ws`,
      `aws-appsync-event-ws, header-${padded}`,
    ]) {
      expect(readConnectHeaders(offer(protocols))).toEqual({
        host: 'é.example',
        'x-api-key': 'da2-??>>',
      });
      expect(offersEventSubprotocol(offer(protocols))).toBe(true);
    }
    expect(offersEventSubprotocol(offer(`header-${text}`))).toBe(false);
  });

  it('come from the headers of the request when there is no entry', () => {
    const request = offer('aws-appsync-event-ws', { 'x-api-key': 'k', cookie: 'session=1' });
    expect(readConnectHeaders(request)).toEqual({ 'x-api-key': 'k' });
  });

  it('come from the query, with other headers of the request beside them', () => {
    const query = encodeURIComponent(Buffer.from('{"x-api-key":"q"}').toString('base64'));
    const request = offer(
      'aws-appsync-event-ws',
      { origin: 'http://a' },
      `/x?header=${query}&payload=e30=`,
    );
    expect(readConnectHeaders(request)).toEqual({ 'x-api-key': 'q', origin: 'http://a' });
    const plus = Buffer.from('{"x-api-key":"??>>~~"}').toString('base64');
    expect(plus).toContain('+');
    expect(readConnectHeaders({ url: `/x?header=${plus}`, headers: {} })).toEqual({
      'x-api-key': '??>>~~',
    });
  });

  it('are never mixed from two sources', () => {
    const request = offer(`aws-appsync-event-ws, header-${encode({ 'x-api-key': 'object' })}`, {
      authorization: 'Basic of-a-proxy',
      'x-amz-date': '20260101T000000Z',
      'x-tenant': 'a',
    });
    expect(readConnectHeaders(request)).toEqual({ 'x-api-key': 'object', 'x-tenant': 'a' });
  });

  it('are refused when the entry is no object in base64, without a part of it in the message', () => {
    const entries = ['', '%%', 'c2VjcmV0', encode(['a']), encode('a'), encode(null), '_w'];
    for (const entry of entries) {
      const read = (): unknown =>
        readConnectHeaders(offer(`aws-appsync-event-ws, header-${entry}`));
      expect(read).toThrow(expect.objectContaining({ errorType: 'BadRequestException' }));
      expect(read).not.toThrow('secret');
    }
  });

  it('keep only texts, and no name reaches a prototype', () => {
    const value: unknown = JSON.parse('{"A":"1","b":2,"c":null,"__proto__":"x"}');
    const headers = toAuthHeaders(value);
    expect(Object.entries(headers ?? {})).toEqual([
      ['a', '1'],
      ['__proto__', 'x'],
    ]);
    expect(headers?.constructor).toBeUndefined();
    for (const none of [undefined, null, 'a', 1, []]) expect(toAuthHeaders(none)).toBeUndefined();
  });
});

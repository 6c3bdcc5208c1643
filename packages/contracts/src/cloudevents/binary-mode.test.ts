import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonWithDigits } from '../exact-json.js';
import {
  fromBinaryCloudEvent,
  isCloudEventContentType,
  toBinaryCloudEvent,
} from './binary-mode.js';
import type { CloudEvent } from './cloudevents.js';
import { fromHttpHeaders, toHttpHeaders } from './http-headers.js';

const attributes = { specversion: '1.0', id: '1', source: 'urn:x', type: 'made' } as const;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (contentType: string | undefined, body: Uint8Array | undefined): CloudEvent =>
  fromBinaryCloudEvent({ attributes, contentType, body });

describe('binary mode', () => {
  it.each<[string | undefined, string, unknown]>([
    ['application/json', '{"a":1}', { a: 1 }],
    ['application/json; charset=utf-8', '[1]', [1]],
    ['Application/Vnd.X+JSON', '"x"', 'x'],
    ['text/json', 'null', null],
    ['text/plain', 'ü', 'ü'],
    ['text/plain; charset="UTF-8"', '\ufeffa', '\ufeffa'],
    ['text/xml;charset=us-ascii', '<a/>', '<a/>'],
    ['application/xml', '<a/>', '<a/>'],
    ['image/svg+xml', '<a/>', '<a/>'],
    ['application/x-www-form-urlencoded', 'a=1', 'a=1'],
    ['application/yaml', 'a: 1', 'a: 1'],
    ['application/vnd.x; charset=utf-8', 'x', 'x'],
  ])('has data of %j as a value', (contentType, body, data) => {
    const event = read(contentType, bytesOf(body));
    expect(event).toStrictEqual({ ...attributes, datacontenttype: contentType, data });
    expect(toBinaryCloudEvent(event)).toEqual({ attributes, contentType, body: bytesOf(body) });
  });

  it.each<[string | undefined, Uint8Array, string]>([
    ['application/octet-stream', Uint8Array.of(0, 255), 'AP8='],
    ['text/plain', Uint8Array.of(255), '/w=='],
    ['text/plain; charset=iso-8859-1', Uint8Array.of(252), '/A=='],
    ['image/png', bytesOf('x'), 'eA=='],
    [undefined, bytesOf('{}'), 'e30='],
  ])('has data of %j as bytes', (contentType, body, data_base64) => {
    const event = read(contentType, body);
    const type = contentType && { datacontenttype: contentType };
    expect(event).toStrictEqual({ ...attributes, ...type, data_base64 });
    expect(toBinaryCloudEvent(event)).toEqual({ attributes, contentType, body });
  });

  it('has no data without a body', () => {
    for (const body of [undefined, new Uint8Array()]) {
      const event = read('application/json', body);
      expect(event).toStrictEqual({ ...attributes, datacontenttype: 'application/json' });
      expect(toBinaryCloudEvent(event).body).toBeUndefined();
    }
  });

  it('keeps the digits of numbers', () => {
    const json = '[1.50,18446744073709551615,-0]';
    const { body } = toBinaryCloudEvent(read('application/json', bytesOf(json)));
    expect(body).toEqual(bytesOf(json));
  });

  it('names the content type of JSON, which may be left out in JSON', () => {
    const event = parseJsonWithDigits(
      '{"specversion":"1.0","id":"1","source":"urn:x","type":"made","data":"x"}',
    ) as CloudEvent;
    const { contentType, body } = toBinaryCloudEvent(event);
    expect([contentType, body]).toEqual(['application/json', bytesOf('"x"')]);
  });

  it('writes text as UTF-8, and says so', () => {
    const datacontenttype = 'text/plain; charset=iso-8859-1; format=flowed';
    const { contentType, body } = toBinaryCloudEvent({ ...attributes, datacontenttype, data: 'ü' });
    expect([contentType, body]).toEqual(['text/plain; charset=utf-8; format=flowed', bytesOf('ü')]);
  });

  it('has attributes as text', () => {
    const { attributes: texts } = toBinaryCloudEvent({ ...attributes, shard: -7, sampled: false });
    expect(texts).toEqual({ ...attributes, shard: '-7', sampled: 'false' });
  });

  it('converts bytes of any number', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000, size: 'max' }), (body) => {
        const given = body.length === 0 ? undefined : body;
        expect(toBinaryCloudEvent(read('a/b', body)).body).toEqual(given);
      }),
      { numRuns: 20 },
    );
  });

  it.each<[string, Parameters<typeof fromBinaryCloudEvent>[0], string]>([
    [
      'no type',
      { attributes: { ...attributes, type: '' }, contentType: undefined, body: undefined },
      'type',
    ],
    ['JSON that is not valid', { attributes, contentType: 'a/json', body: bytesOf('{') }, 'data'],
    [
      'JSON that is not UTF-8',
      { attributes, contentType: 'a/json', body: Uint8Array.of(255) },
      'data',
    ],
    ['a mark before JSON', { attributes, contentType: 'a/json', body: bytesOf('\ufeff1') }, 'data'],
    [
      'data as an attribute',
      { attributes: { ...attributes, data: '1' }, contentType: undefined, body: undefined },
      'data',
    ],
    [
      'two content types',
      {
        attributes: { ...attributes, datacontenttype: 'a/b' },
        contentType: 'a/c',
        body: undefined,
      },
      'datacontenttype',
    ],
  ])('refuses %s, and names the field', (_fault, message, field) => {
    expect(() => fromBinaryCloudEvent(message)).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID', details: { field } }),
    );
  });

  it.each([
    ['application/cloudevents+json; charset=utf-8', true],
    [' Application/CloudEvents-Batch+JSON', true],
    ['application/cloudevents', true],
    ['application/cloudevents+avro', true],
    ['application/json', false],
    ['', false],
  ])('is told from the other modes by its content type: %s', (contentType, expected) => {
    expect(isCloudEventContentType(contentType)).toBe(expected);
  });

  it('takes a content type that is repeated as an attribute', () => {
    const repeated = { ...attributes, datacontenttype: 'text/plain' };
    const event = { ...attributes, datacontenttype: 'text/plain', data: 'x' };
    const body = bytesOf('x');
    for (const contentType of ['text/plain', undefined]) {
      expect(fromBinaryCloudEvent({ attributes: repeated, contentType, body })).toEqual(event);
    }
  });
});

describe('HTTP headers', () => {
  it('are encoded as the binding shows', () => {
    const encoded = toHttpHeaders({
      attributes: { subject: 'Euro € 😀', id: '50%"' },
      contentType: 'text/ü',
    });
    expect(encoded).toEqual({
      'ce-subject': 'Euro%20%E2%82%AC%20%F0%9F%98%80',
      'ce-id': '50%25%22',
      'content-type': 'text/%C3%BC',
    });
  });

  it('restore every attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (subject) => {
        const headers = toHttpHeaders({ attributes: { subject }, contentType: undefined });
        expect(headers['ce-subject']).toMatch(/^[!-~]*$/);
        expect(fromHttpHeaders(headers).attributes).toEqual({ subject });
      }),
    );
  });

  it.each([
    ['plain text', 'plain text'],
    ['"a \\"b\\" c"', 'a "b" c'],
    ['"a" b "c"', '"a" b "c"'],
    ['%c3%bc%41', 'üA'],
    ['50%', '50%'],
    ['%zz%20', '%zz '],
    [Buffer.from('ü事').toString('latin1'), 'ü事'],
    ['\u00fc', 'ü'],
    ['', ''],
  ])('with %j are read as %j', (header, subject) => {
    expect(fromHttpHeaders({ 'CE-Subject': header, 'x-other': '1' })).toEqual({
      attributes: { subject },
      contentType: undefined,
    });
  });

  it.each<[string, Record<string, string | string[]>, string]>([
    ['twice', { 'ce-id': ['1', '2'] }, 'id'],
    ['in two spellings', { 'ce-id': '1', 'Ce-Id': '1' }, 'id'],
    ['with two content types', { 'content-type': ['a/b', 'a/b'] }, 'datacontenttype'],
    ['with an encoding that is not UTF-8', { 'ce-id': '%C0%A0' }, 'id'],
  ])('are refused %s', (_fault, headers, field) => {
    expect(() => fromHttpHeaders(headers)).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID', details: { field } }),
    );
  });
});

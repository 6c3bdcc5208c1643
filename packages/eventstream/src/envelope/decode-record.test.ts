import { eventTypeOf, JsonNumber, toCloudEvent } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { storedRecord } from '../../test/manual-driver.js';
import type { StoredRecord } from '../record.js';
import { decodeEnvelope } from './decode.js';
import { decodeRecord, decodeRecordWithDigits } from './decode-record.js';
import { encodeEnvelope } from './encode.js';
import { toHeaders } from './headers.js';

const binary = {
  ce_specversion: '1.0',
  ce_id: '1',
  ce_type: 'placed',
  ce_source: '/shop',
  'content-type': 'application/json',
};

function recordOf(text: string | null, headers: Readonly<Record<string, string>>): StoredRecord {
  return storedRecord(0, { value: text === null ? null : Buffer.from(text), headers });
}

describe('a record of an envelope', () => {
  const envelope = {
    id: '1',
    name: 'placed',
    namespace: 'shop',
    timestamp: '2026-01-02T03:04:05Z',
    version: 1,
    payload: { n: 9_007_199_254_740_993n, text: 'é' },
  };
  const value = encodeEnvelope(envelope, 'default').toString();

  it.each([
    ['its own headers', toHeaders(envelope)],
    ['no headers', {}],
    ['other headers', { traceparent: '00-1', 'content-type': 'application/json' }],
    ['headers of another content type', { ...toHeaders(envelope), 'content-type': 'text/json' }],
    ['the header of a version to come', { ...toHeaders(envelope), ce_specversion: '2.0' }],
  ])('is decoded as before with %s', (_, headers) => {
    expect(decodeRecord(recordOf(value, headers))).toEqual(decodeEnvelope(Buffer.from(value)));
  });

  it('is decoded as such with every name, also one that is the derived name of a CloudEvent', () => {
    const foreign = {
      ...envelope,
      name: 'a-b',
      additional_fields: { cloudevent: { type: 'a/b' } },
    };
    const record = recordOf(encodeEnvelope(foreign, 'default').toString(), toHeaders(foreign));
    expect(record.headers.ce_type).toBe('a/b');
    expect(decodeRecord(record)).toMatchObject({ name: 'a-b', payload: envelope.payload });
    // Writers of a release before wrote the name.
    const older = { ...record, headers: { ...record.headers, ce_type: 'a-b' } };
    expect(decodeRecord(older)).toEqual(decodeRecord(record));
  });

  it('is unreadable for the reason of before, and not the data of a CloudEvent', () => {
    const broken = '{"id":"1","name":"placed","privacy":"yes"}';
    expect(() => decodeRecord(recordOf(broken, {}))).toThrow(/privacy is not/);
    expect(() => decodeRecord(recordOf(broken, toHeaders(envelope)))).toThrow(/privacy is not/);
    expect(() => decodeRecord(recordOf('nonsense', {}))).toThrow(/not JSON/);
  });
});

describe('an event to pass on', () => {
  const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  const structured = { 'content-type': 'application/cloudevents+json' };

  it.each([
    ['an envelope', {}, (data: string) => `{"id":"1","name":"placed","payload":{"a":${data}}}`],
    ['a binary CloudEvent', binary, (data: string) => data],
    [
      'a structured CloudEvent',
      structured,
      (data: string) => `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":${data}}`,
    ],
  ])('is unreadable if it is nested deeper than publishers may: %s', (_, headers, toText) => {
    const fits = decodeRecordWithDigits(recordOf(toText(nested(999)), headers));
    expect(JSON.stringify(fits?.payload)).toContain(nested(999));
    for (const levels of [1_100, 9_000, 100_000]) {
      const record = recordOf(toText(nested(levels)), headers);
      expect(() => decodeRecordWithDigits(record)).toThrow();
    }
  });
});

describe('a CloudEvent of another publisher', () => {
  it.each([
    ['{"id":"x","name":"alice","payload":{"a":1}}', 'another id'],
    ['{"id":"1","name":"alice"}', 'another name'],
    ['{"name":"placed"}', 'no id'],
  ])('has the data %s, which is an envelope with %s', (text) => {
    expect(decodeRecord(recordOf(text, binary))).toMatchObject({
      id: '1',
      name: 'placed',
      payload: JSON.parse(text),
    });
  });

  it('has numbers as an envelope has them, in both modes', () => {
    const data = '{"n":9007199254740993,"f":1.50}';
    const structured = `{"specversion":"1.0","id":"1","source":"/shop","type":"placed","data":${data}}`;
    const records = [
      recordOf(data, binary),
      recordOf(structured, { 'content-type': 'application/cloudevents+json' }),
    ];
    for (const record of records) {
      expect(decodeRecord(record)?.payload).toEqual({ n: 9_007_199_254_740_993n, f: 1.5 });
      expect(decodeRecordWithDigits(record)?.payload).toEqual({
        n: new JsonNumber('9007199254740993'),
        f: new JsonNumber('1.50'),
      });
    }
    const infinite = [
      recordOf('{"n":1e400}', binary),
      recordOf(structured.replace('1.50', '1e400'), records[1]?.headers ?? {}),
    ];
    for (const record of infinite) {
      expect(() => decodeRecord(record)).toThrow();
      expect(() => decodeRecordWithDigits(record)).toThrow();
    }
  });

  it('may have no value in binary mode; any other record without a value has no event', () => {
    const { 'content-type': _, ...attributes } = binary;
    const event = decodeRecord(recordOf(null, attributes));
    expect(event).toMatchObject({ id: '1', name: 'placed' });
    expect(event).not.toHaveProperty('payload');
    expect(decodeRecord(recordOf(null, {}))).toBeNull();
    const structured = { 'content-type': 'application/cloudevents+json' };
    expect(decodeRecord(recordOf(null, structured))).toBeNull();
    expect(decodeRecordWithDigits(recordOf(null, structured))).toBeNull();
  });

  it('is structured by its content type, whatever its other headers are', () => {
    const event = { specversion: '1.0', id: '2', source: '/b', type: 'paid', data: [1] };
    const headers = { ...binary, 'content-type': ' Application/CloudEvents; charset=utf-8' };
    const decoded = decodeRecord(recordOf(JSON.stringify(event), headers));
    expect(decoded && toCloudEvent(decoded)).toMatchObject(event);
  });

  it('may have any type of up to 65,536 characters', () => {
    const { 'content-type': _, ...attributes } = binary;
    const type = 'a/'.repeat(32_000);
    const decoded = decodeRecord(recordOf(null, { ...attributes, ce_type: type }));
    expect(decoded && eventTypeOf(decoded)).toBe(type);
    const tooLong = recordOf(null, { ...attributes, ce_type: 'a/'.repeat(600_000) });
    expect(() => decodeRecord(tooLong)).toThrow(/have 1200000 characters|at most 65536/);
  });

  it('has the content type of the header, or of the attribute that some publishers write', () => {
    const { 'content-type': _, ...attributes } = binary;
    const record = recordOf('<a/>', { ...attributes, ce_datacontenttype: 'application/xml' });
    const decoded = decodeRecord(record);
    expect(decoded && toCloudEvent(decoded)).toMatchObject({
      datacontenttype: 'application/xml',
      data: '<a/>',
    });
  });

  it('has the attributes in its headers, and no other headers', () => {
    const decoded = decodeRecord(recordOf('{}', { ...binary, other: 'y', ce_seq: '7' }));
    expect(decoded && toCloudEvent(decoded)).toMatchObject({ seq: '7' });
    expect(decoded?.additional_fields).not.toHaveProperty('other');
    const unruly = recordOf(
      '{}',
      Object.fromEntries([...Object.entries(binary), ['ce___proto__', 'x']]),
    );
    expect(() => decodeRecord(unruly)).toThrow(/'__proto__' is not allowed/);
  });
});

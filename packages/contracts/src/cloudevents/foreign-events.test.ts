import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EventEnvelope, envelopeKeys } from '../envelope.js';
import { JsonNumber, parseJsonWithDigits, stringifyExactJson } from '../exact-json.js';
import { eventDataOf, eventTypeOf, fromCloudEvent, sourceOf, toCloudEvent } from './cloudevents.js';
import { toEventName } from './event-name.js';

const foreign = {
  specversion: '1.0',
  id: '1',
  source: 'https://example.com/orders',
  type: 'com.example.order.placed',
  subject: 'orders/7',
  time: '2026-01-02T03:04:05.5Z',
  datacontenttype: 'application/json; charset=utf-8',
  dataschema: 'https://example.com/schema',
  partitionkey: 'k',
  sampled: true,
  sequence: 12,
  data: { total: 3 },
} as const;
const bare = { specversion: '1.0', id: '1', source: 'urn:x', type: 'made' } as const;

const controlCharacter = /\p{Cc}/u;
const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('a', '事件', '{}', '[]', '["x"]', '7', '2', '1.5', 'true', '1e3', ' a'),
    fc.constantFrom('game', 'a b', '{"a":1}', '{"a":1.50}', '{"name":"x"}', '{"payload":{}}'),
    fc.constantFrom('{"cloudevent":{"type":"a b"}}', '{"cloudevent":{"data":"wrapped"}}', '{ }'),
    fc.constantFrom(
      '2026-01-02T03:04:05Z',
      '2026-01-02T03:04:05.000000001Z',
      '1767323045000000000',
    ),
  )
  .filter((value) => !controlCharacter.test(value));
const filled = text.filter((value) => value !== '');
const time = fc.constantFrom(
  '2026-01-02T03:04:05Z',
  '2026-01-02T03:04:05.5+01:00',
  '2026-01-02t03:04:05.000000001z',
  '2026-01-02T03:04:05.000000001Z',
  '2026-01-02T03:04:05.0000000011Z',
  '1970-01-01T00:00:00.000000000Z',
  '1969-12-31T23:59:59.25-00:00',
  '2016-12-31T23:59:60Z',
  '9999-12-31T23:59:59Z',
  '0001-01-01T00:00:00Z',
);
const value = fc.oneof(
  text,
  fc.boolean(),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).filter((number) => !Object.is(number, -0)),
);
const extensionName = fc.oneof(
  fc.stringMatching(/^[a-z0-9]{1,20}$/),
  fc.constantFrom('version', 'eventid', 'clientids', 'privacy', 'topic', 'service', 'namespace'),
  fc.constantFrom('timestamp', 'timestampunixnano', 'additionalfields', 'unknownkeys'),
  fc.constantFrom('envelopekeys', 'cloudevent', 'spancontext', 'traceparent', 'partitionkey'),
);
const taken = new Set(['id', 'source', 'type', 'specversion', 'subject', 'time', 'data']);
const extensions = fc.dictionary(
  extensionName.filter((name) => !taken.has(name) && !/^data/.test(name)),
  value,
  { maxKeys: 5, noNullPrototype: true },
);
const data = fc.oneof(
  fc.constant({}),
  fc.jsonValue().map((json) => ({ data: json })),
  fc.constantFrom({ data: {} }, { data: null }, { data: '' }, { data: { data: 'x' } }),
  fc.uint8Array().map((bytes) => ({ data_base64: Buffer.from(bytes).toString('base64') })),
);
/** Events that the specification allows. */
const anyEvent = fc
  .tuple(
    fc.record(
      {
        specversion: fc.constant('1.0'),
        id: filled,
        source: fc.oneof(
          filled,
          fc.constantFrom(
            '/namespaces/game',
            '/namespaces/a%20b',
            '/namespaces/',
            '/namespaces/g%61me',
          ),
        ),
        type: fc.oneof(filled, fc.constantFrom('/a b/事件', 'a..b', "it's", `${'x'.repeat(300)}`)),
        subject: filled,
        time,
        datacontenttype: fc.oneof(filled, fc.constantFrom('application/json', 'text/plain')),
        dataschema: filled,
      },
      { requiredKeys: ['specversion', 'id', 'source', 'type'], noNullPrototype: true },
    ),
    extensions,
    data,
  )
  .map((parts): Readonly<Record<string, unknown>> => Object.assign({}, ...parts));

describe('a foreign CloudEvent', () => {
  it('comes out of its envelope as it went in', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const envelope = fromCloudEvent(event);
        expect(toCloudEvent(envelope)).toStrictEqual(event);
        expect(eventTypeOf(envelope)).toBe(event.type);
        expect(sourceOf(envelope)).toBe(event.source);
        expect(eventDataOf(envelope)).toStrictEqual(event.data ?? event.data_base64 ?? event.data);
      }),
      { numRuns: 2_000 },
    );
  });

  it('has an envelope with a valid name, and with nothing that an encoder leaves out', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const { name, namespace, timestamp, version, ...others } = fromCloudEvent(event);
        expect(name).toMatch(/^[A-Za-z0-9]+(?:['_.-][A-Za-z0-9]+)*$/);
        expect(name.length).toBeLessThanOrEqual(256);
        expect(namespace).toMatch(/^(?:[A-Za-z0-9]+(?:['_.-][A-Za-z0-9]+)*)?$/);
        const { unknownKeys = {}, ...keys } = others;
        for (const value of [...Object.values(keys), keys.additional_fields?.cloudevent]) {
          expect([{}, [], '', 0, 0n, false]).not.toContainEqual(value);
        }
        for (const key of Object.keys(unknownKeys)) expect(envelopeKeys).not.toContain(key);
      }),
    );
  });

  it('has its attributes as additional fields, and beside the envelope what no key can hold', () => {
    const envelope = fromCloudEvent(foreign);
    expect(envelope).toStrictEqual({
      id: '1',
      name: 'com.example.order.placed',
      namespace: '',
      userId: 'orders/7',
      timestamp: '2026-01-02T03:04:05Z',
      timestampUnixNano: 1_767_323_045_500_000_000n,
      version: 1,
      additional_fields: {
        source: 'https://example.com/orders',
        datacontenttype: 'application/json; charset=utf-8',
        dataschema: 'https://example.com/schema',
        partitionkey: 'k',
        sampled: true,
        sequence: 12,
        cloudevent: { time: '2026-01-02T03:04:05.5Z' },
      },
      payload: { total: 3 },
    });
    expect(toCloudEvent(envelope)).toStrictEqual(foreign);
  });

  it.each<[string, object, object]>([
    ['a list', { data: [1] }, { data: [1] }],
    ['text', { data: 'x', datacontenttype: 'text/plain' }, { data: 'x' }],
    ['null', { data: null }, { data: null }],
    ['a number', { data: new JsonNumber('1.50') }, { data: new JsonNumber('1.50') }],
    ['an empty object', { data: {} }, { data: {} }],
    ['bytes', { data_base64: '/w==' }, { data_base64: '/w==' }],
  ])('wraps data that is %s', (_kind, given, payload) => {
    const envelope = fromCloudEvent({ ...bare, ...given });
    expect(envelope).toMatchObject({ additional_fields: { cloudevent: { data: 'wrapped' } } });
    expect(envelope.payload).toStrictEqual(payload);
    expect(toCloudEvent(envelope)).toStrictEqual({ ...bare, ...given });
    expect([eventDataOf(envelope)]).toStrictEqual(Object.values(payload));
  });

  it('keeps the digits of numbers in data of any kind', () => {
    const json =
      '{"specversion":"1.0","id":"1","source":"/x","type":"a","data":[1.50,18446744073709551615]}';
    expect(stringifyExactJson(toCloudEvent(fromCloudEvent(parseJsonWithDigits(json))))).toBe(json);
  });

  it('takes the namespace from its extension', () => {
    const event = { ...foreign, namespace: 'shop' };
    const envelope = fromCloudEvent(event);
    expect(envelope.namespace).toBe('shop');
    expect(toCloudEvent(envelope)).toStrictEqual(event);
  });

  it('sets the keys that its extensions are for, and keeps their text', () => {
    const event = {
      ...bare,
      eventid: '9223372036854775807',
      version: '2',
      privacy: 'true',
      clientids: '[ "x" ]',
    };
    const envelope = fromCloudEvent(event);
    expect(envelope).toMatchObject({
      event_id: 2n ** 63n - 1n,
      version: 2,
      privacy: true,
      client_ids: ['x'],
    });
    expect(toCloudEvent(envelope)).toStrictEqual(event);
  });

  it('keeps extensions that cannot be the key of their name', () => {
    const event = { ...bare, version: 'v2', privacy: 'high', unknownkeys: '{', eventid: '1.5' };
    const envelope = fromCloudEvent(event);
    expect(envelope).toStrictEqual({
      id: '1',
      name: 'made',
      namespace: '',
      timestamp: '',
      version: 1,
      additional_fields: {
        source: 'urn:x',
        cloudevent: {
          attributes: { version: 'v2', privacy: 'high', unknownkeys: '{', eventid: '1.5' },
        },
      },
    });
    expect(toCloudEvent(envelope)).toStrictEqual(event);
  });

  it('has no attribute that is null, and none of the specification that is empty', () => {
    const empty = { subject: '', time: '', datacontenttype: '', dataschema: '' };
    const event = { ...bare, ...empty, shard: null, data_base64: null };
    expect(toCloudEvent(fromCloudEvent(event))).toStrictEqual(bare);
  });
});

describe('the original beside an envelope', () => {
  const envelope = fromCloudEvent({ ...bare, type: '/a b', data: [1] });
  const fields = { source: 'urn:x' };

  it.each<[string, Partial<EventEnvelope>]>([
    ['another name', { name: 'other' }],
    ['a payload of its own', { payload: { a: 1 } }],
    ['a payload with more members', { payload: { data: [1], more: 1 } }],
    ['no payload', { payload: undefined as never }],
    ['unknown members', { additional_fields: { ...fields, cloudevent: { more: 1 } } }],
    [
      'a time that is not its own',
      { additional_fields: { cloudevent: { time: '2026-01-02T03:04:05Z' } } },
    ],
    ['an id', { additional_fields: { cloudevent: { attributes: { id: '2' } } } }],
    ['no object', { additional_fields: { cloudevent: 'x' } }],
  ])('is an additional field like any other with %s', (_fault, change) => {
    const changed = { ...envelope, ...change };
    const event = toCloudEvent(changed);
    expect(event.additionalfields).toContain('"cloudevent":');
    expect(event.type).toBe(changed.name);
    expect(fromCloudEvent(event)).toEqual(changed);
  });

  it('gives the type of a name only if the name is derived from it', () => {
    expect(eventTypeOf(envelope)).toBe('/a b');
    expect(eventTypeOf({ ...envelope, name: 'other' })).toBe('other');
    expect(eventTypeOf({ ...envelope, additional_fields: fields })).toBe('a-b');
  });
});

describe('toEventName', () => {
  it.each([
    ['order.placed', 'order.placed'],
    ['/a b/事件.c', 'a-b-c'],
    ['com.example/order:placed', 'com.example-order-placed'],
    ['a..b', 'a-b'],
    ['.a.', 'a'],
    ["it's", "it's"],
    ['事件', 'cloudevent'],
    ['-', 'cloudevent'],
    ['x'.repeat(300), 'x'.repeat(256)],
    [`${'x'.repeat(255)}.y`, 'x'.repeat(255)],
  ])('derives from %j the name %j', (type, name) => {
    expect(toEventName(type)).toBe(name);
  });

  it('reads no more of a long type than the name needs', () => {
    // 1,000 of these took minutes.
    const type = 'a/'.repeat(500_000);
    for (let i = 0; i < 1_000; i += 1)
      expect(toEventName(type)).toBe(`${'a-'.repeat(127)}a-`.slice(0, 255));
  });
});

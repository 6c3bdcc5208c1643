import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CloudEvent, fromCloudEvent, toCloudEvent } from './cloudevents.js';
import {
  createEnvelope,
  type EnvelopeKey,
  type EventEnvelope,
  envelopeFields,
  envelopeKeys,
  type JsonObject,
} from './envelope.js';

const contextAttributes = ['specversion', 'id', 'source', 'type', 'subject', 'time'];
const lowerCaseKeys: ReadonlySet<string> = new Set(envelopeKeys.map((key) => key.toLowerCase()));

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', 'é', '\u0000', '{}'));
const name = fc.string({ minLength: 1 });
const safeInteger = fc.maxSafeInteger();
const int64 = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
const number = fc.oneof(safeInteger, fc.constantFrom(0.5, -1e-7, 1e300, 2 ** 31, -(2 ** 31)));
const { value: jsonValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(fc.constant(null), fc.boolean(), number, int64, text),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(text, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

/** Names that could collide with attributes, and names that can be none. */
const fieldName = fc.oneof(
  text,
  fc.stringMatching(/^[a-z0-9]{1,5}$/),
  fc.constantFrom(
    ...contextAttributes,
    ...['data', 'datacontenttype', 'dataschema', 'namespace', 'timestamp', 'timestampunixnano'],
    ...['eventid', 'clientids', 'additionalfields', 'unknownkeys', '__proto__', 'toString'],
  ),
);
const fieldValue = fc.oneof(
  jsonValue,
  fc.constantFrom(
    '',
    'application/json',
    'text/plain',
    '/namespaces/game',
    'urn:x',
    '/namespaces/%',
  ),
);
const jsonObject = fc
  .array(fc.tuple(fieldName, fieldValue), { maxLength: 5 })
  .map((entries) => Object.fromEntries(entries) as JsonObject);
const unixNano = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
const timestamp = fc.oneof(
  text,
  fc.constantFrom(
    '',
    '2026-01-02T03:04:05Z',
    '2026-01-02T03:04:05.000000001Z',
    '2026-01-02T03:04:05+01:00',
  ),
);

const byKind = {
  string: text.filter((value) => value !== ''),
  integer: int64.filter((value) => value !== 0),
  nanoseconds: unixNano,
  boolean: fc.constant(true),
  strings: fc.array(text, { maxLength: 3 }),
  object: jsonObject,
} as const;

function arbitraryOf(key: EnvelopeKey): fc.Arbitrary<unknown> {
  return byKind[envelopeFields[key]];
}

/** Envelopes in normal form, with everything that can stand in them. */
const anyEnvelope: fc.Arbitrary<EventEnvelope> = fc
  .record(
    {
      ...Object.fromEntries(envelopeKeys.map((key) => [key, arbitraryOf(key)])),
      id: name,
      name,
      namespace: text,
      timestamp,
      version: int64,
      unknownKeys: jsonObject.map(
        (fields) =>
          Object.fromEntries(
            Object.entries(fields).filter(([key]) => !lowerCaseKeys.has(key.toLowerCase())),
          ) as JsonObject,
      ),
    },
    { requiredKeys: ['id', 'name', 'namespace', 'timestamp', 'version'], noNullPrototype: true },
  )
  .map((fields) => fields as unknown as EventEnvelope);

const login = createEnvelope({
  id: '0a',
  name: 'login',
  namespace: 'game',
  userId: 'ada',
  timestampUnixNano: 1_767_323_045_000_000_001n,
  event_id: 7,
  client_ids: ['x', 'y'],
  privacy: true,
  payload: { a: 1 },
});

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

describe('toCloudEvent', () => {
  it('maps every key as documented', () => {
    expect(toCloudEvent(login)).toEqual({
      specversion: '1.0',
      id: '0a',
      source: '/namespaces/game',
      type: 'login',
      subject: 'ada',
      time: '2026-01-02T03:04:05.000000001Z',
      datacontenttype: 'application/json',
      version: 1,
      eventid: 7,
      clientids: '["x","y"]',
      privacy: true,
      data: { a: 1 },
    });
  });

  it('makes attributes that CloudEvents allows', () => {
    fc.assert(
      fc.property(anyEnvelope, (envelope) => {
        const { data, ...attributes } = toCloudEvent(envelope);
        for (const [key, value] of Object.entries(attributes)) {
          expect(key).toMatch(/^[a-z0-9]{1,20}$/);
          expect(['string', 'boolean', 'number']).toContain(typeof value);
          if (typeof value === 'number') expect(value).toBe(value | 0);
        }
        for (const key of ['id', 'source', 'type']) expect(attributes[key]).not.toBe('');
        expect(data === undefined || typeof data === 'object').toBe(true);
      }),
    );
  });

  it('carries additional fields as attributes where possible', () => {
    const fields = { region: 'eu', shard: 7, nested: { a: [1] }, eventid: 9, Upper: 'x' };
    expect(toCloudEvent({ ...login, additional_fields: fields })).toMatchObject({
      region: 'eu',
      shard: 7,
      eventid: 7,
      additionalfields: '{"nested":{"a":[1]},"eventid":9,"Upper":"x"}',
    });
  });

  it.each(['id', 'name'] as const)('refuses an event without %s', (key) => {
    expect(() => toCloudEvent({ ...login, [key]: '' })).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
    );
  });
});

describe('fromCloudEvent', () => {
  it('restores every envelope exactly', () => {
    fc.assert(
      fc.property(anyEnvelope, (envelope) => {
        expect(fromCloudEvent(toCloudEvent(envelope))).toStrictEqual(envelope);
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps all attributes of a foreign event, and restores them', () => {
    const envelope = fromCloudEvent(foreign);
    expect(envelope).toEqual({
      id: '1',
      name: 'com.example.order.placed',
      namespace: '',
      userId: 'orders/7',
      timestamp: '2026-01-02T03:04:05.5Z',
      version: 1,
      additional_fields: {
        source: 'https://example.com/orders',
        datacontenttype: 'application/json; charset=utf-8',
        dataschema: 'https://example.com/schema',
        partitionkey: 'k',
        sampled: true,
        sequence: 12,
      },
      payload: { total: 3 },
    });
    expect(toCloudEvent(envelope)).toEqual({ ...foreign, namespace: '', version: 1 });
  });

  it('takes the namespace of a foreign event from its extension', () => {
    const envelope = fromCloudEvent({ ...foreign, namespace: 'shop' });
    expect(envelope.namespace).toBe('shop');
    expect(toCloudEvent(envelope)).toMatchObject({ source: foreign.source, namespace: 'shop' });
  });

  it('reads integers from text, and treats null as absent', () => {
    const event = { ...foreign, eventid: '9223372036854775807', version: '2', subject: null };
    const envelope = fromCloudEvent(event);
    expect(envelope).toMatchObject({ event_id: 2n ** 63n - 1n, version: 2 });
    expect(envelope).not.toHaveProperty('userId');
  });

  it.each<[string, unknown]>([
    ['no object', 'text'],
    ['another version', { ...foreign, specversion: '0.3' }],
    ['no id', { ...foreign, id: undefined }],
    ['an empty source', { ...foreign, source: '' }],
    ['a type that is no text', { ...foreign, type: 5 }],
    ['a subject that is no text', { ...foreign, subject: 5 }],
    ['a time that is no text', { ...foreign, time: 5 }],
    ['binary data', { ...foreign, data_base64: 'AA==' }],
    ['data that is no object', { ...foreign, data: [1] }],
    ['an integer that is none', { ...foreign, eventid: '1.5' }],
    ['a list that is none', { ...foreign, clientids: '{"a":1}' }],
    ['a broken list', { ...foreign, clientids: '[' }],
    ['broken additional fields', { ...foreign, additionalfields: '{' }],
    ['unknown keys that are no object', { ...foreign, unknownkeys: [] }],
    ['half a character in the namespace', { ...foreign, namespace: '\ud800' }],
  ])('refuses an event with %s', (_fault, event) => {
    expect(() => fromCloudEvent(event)).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
    );
  });

  it('finds the namespace in the source, however it is encoded', () => {
    fc.assert(
      fc.property(text, (namespace) => {
        const event: CloudEvent = toCloudEvent({ ...login, namespace });
        expect(new URL(event.source, 'http://localhost').pathname).toBe(event.source);
        expect(fromCloudEvent(event).namespace).toBe(namespace);
      }),
    );
  });
});

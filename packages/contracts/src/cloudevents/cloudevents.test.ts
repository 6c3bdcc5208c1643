import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createEnvelope,
  type EnvelopeKey,
  type EventEnvelope,
  envelopeFields,
  envelopeKeys,
  type JsonObject,
} from '../envelope.js';
import { type CloudEvent, fromCloudEvent, toCloudEvent } from './cloudevents.js';

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
    ...['envelopekeys', 'cloudevent', 'type'],
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
    '/namespaces/',
    { type: 'a b' },
    { data: 'wrapped' },
    { time: '2026-01-02T03:04:05Z', attributes: { version: '1', namespace: '' } },
    { type: 'a b', data: 'wrapped', attributes: { datacontenttype: null } },
  ),
);
const jsonObject = fc
  .array(fc.tuple(fieldName, fieldValue), { maxLength: 5 })
  .map((entries) => Object.fromEntries(entries) as JsonObject);
/** Payloads, among them those that wrap the data of a foreign event. */
const payload = fc.oneof(
  jsonObject,
  jsonValue.map((data) => ({ data })),
  fc.constantFrom({ data_base64: 'AA==' }, { data_base64: 'A' }),
);
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
      name: fc.oneof(name, fc.constantFrom('a-b', 'login')),
      namespace: fc.oneof(text, fc.constantFrom('', 'game', 'a b')),
      payload,
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

const bare = { specversion: '1.0', id: '1', source: 'https://example.com/orders', type: 'made' };
const foreign = { ...bare, data: { total: 3 } };

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
      eventid: 7,
      clientids: '["x","y"]',
      privacy: true,
      data: { a: 1 },
    });
  });

  it('makes attributes that CloudEvents allows', () => {
    fc.assert(
      fc.property(anyEnvelope, (envelope) => {
        const { data, data_base64: base64, ...attributes } = toCloudEvent(envelope);
        for (const [key, value] of Object.entries(attributes)) {
          expect(key).toMatch(/^[a-z0-9]{1,20}$/);
          expect(['string', 'boolean', 'number']).toContain(typeof value);
          if (typeof value === 'number') expect(value).toBe(value | 0);
        }
        for (const key of ['id', 'source', 'type']) expect(attributes[key]).not.toBe('');
        expect([undefined, 'AA==']).toContain(base64);
        expect(data === undefined || base64 === undefined).toBe(true);
        expect(Object.values(attributes).join('')).not.toMatch(/\p{Cc}/u);
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

  it.each<[string, unknown, string]>([
    ['no object', 'text', 'specversion'],
    ['another version', { ...foreign, specversion: '0.3' }, 'specversion'],
    ['no version', { ...foreign, specversion: undefined }, 'specversion'],
    ['no id', { ...foreign, id: undefined }, 'id'],
    ['an empty source', { ...foreign, source: '' }, 'source'],
    ['a type that is no text', { ...foreign, type: 5 }, 'type'],
    ['a subject that is no text', { ...foreign, subject: 5 }, 'subject'],
    ['a time that is no text', { ...foreign, time: 5 }, 'time'],
    ['a time that is none', { ...foreign, time: 'now' }, 'time'],
    ['a day that is not in the calendar', { ...foreign, time: '2026-02-29T00:00:00Z' }, 'time'],
    ['data twice', { ...foreign, data_base64: 'AA==' }, 'data_base64'],
    ['bytes that are no base64', { ...bare, data_base64: 'A' }, 'data_base64'],
    ['bytes as a number', { ...bare, data_base64: 5 }, 'data_base64'],
    ['an attribute with a capital letter', { ...bare, shardId: 'a' }, 'shardId'],
    ['an attribute with an underscore', { ...bare, shard_id: 'a' }, 'shard_id'],
    ['an attribute without a name', { ...bare, '': 'a' }, ''],
    ['an attribute that is an object', { ...bare, shard: {} }, 'shard'],
    ['an attribute that is a fraction', { ...bare, shard: 1.5 }, 'shard'],
    ['an attribute beyond 32 bits', { ...bare, shard: 2 ** 31 }, 'shard'],
    ['an integer beyond 64 bits', { ...bare, eventid: 1e30 }, 'eventid'],
    ['unknown keys that are a list', { ...bare, unknownkeys: [] }, 'unknownkeys'],
    ['a control character', { ...bare, id: 'a\0' }, 'id'],
    ['half a character', { ...bare, namespace: '\ud800' }, 'namespace'],
  ])('refuses an event with %s, and names the field', (_fault, event, field) => {
    expect(() => fromCloudEvent(event)).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID', details: { field } }),
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

import { type EventEnvelope, envelopeKeys } from '@posthaste/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from './decode.js';
import { type EnvelopeProfile, encodeEnvelope } from './encode.js';

const login: EventEnvelope = {
  id: '0123456789abcdef0123456789abcdef',
  name: 'login',
  namespace: 'game',
  timestamp: '2026-01-02T03:04:05Z',
  timestampUnixNano: 1_767_323_045_000_000_000n,
  version: 1,
};

/** One of each key, given in an order that is not the wire's. */
const full: Required<EventEnvelope> = {
  payload: { b: [1, 'two'], a: { z: null, y: true } },
  additional_fields: { level: 3, flag: false },
  sourceNamespace: 'source',
  topic: 'topic',
  privacy: true,
  target_namespace: 'target',
  target_user_ids: ['u1', 'u2'],
  client_ids: ['c<1>'],
  service: 'shop',
  event_level: 3,
  event_type: 2,
  event_id: 2n ** 63n - 1n,
  ...login,
  sessionId: 'session',
  userId: 'user',
  spanContext: 'a:b:0:1',
  traceId: 'trace',
  clientId: 'client',
  unionNamespace: 'union',
  parentNamespace: 'parent',
  version: 7,
  unknownKeys: { more: [1], Later: 'x' },
} as Required<EventEnvelope>;

function encode(envelope: EventEnvelope<object>, profile: EnvelopeProfile = 'default'): string {
  return encodeEnvelope(envelope, profile).toString('utf8');
}

describe('encodeEnvelope, default profile', () => {
  it('writes the bytes of the Go SDK', () => {
    expect(encode({ ...login, payload: { a: 1 } })).toBe(
      '{"id":"0123456789abcdef0123456789abcdef","name":"login","namespace":"game","timestamp":"2026-01-02T03:04:05Z","timestampUnixNano":1767323045000000000,"version":1,"payload":{"a":1}}',
    );
  });

  it('writes every key in the order of the wire, and unknown ones after them', () => {
    expect(encode(full)).toBe(
      '{"id":"0123456789abcdef0123456789abcdef","name":"login","namespace":"game","parentNamespace":"parent","unionNamespace":"union","clientId":"client","traceId":"trace","spanContext":"a:b:0:1","userId":"user","sessionId":"session","timestamp":"2026-01-02T03:04:05Z","timestampUnixNano":1767323045000000000,"version":7,"event_id":9223372036854775807,"event_type":2,"event_level":3,"service":"shop","client_ids":["c\\u003c1\\u003e"],"target_user_ids":["u1","u2"],"target_namespace":"target","privacy":true,"topic":"topic","sourceNamespace":"source","additional_fields":{"flag":false,"level":3},"payload":{"a":{"y":true,"z":null},"b":[1,"two"]},"Later":"x","more":[1]}',
    );
    const { unknownKeys, ...known } = full;
    expect(Object.keys(JSON.parse(encode(known)))).toEqual(envelopeKeys);
  });

  it('leaves out zero and empty values', () => {
    const zeros: EventEnvelope = {
      ...{ id: '', name: '', namespace: '', timestamp: '', version: 0, timestampUnixNano: 0n },
      ...{ clientId: '', event_id: 0n, event_type: -0, privacy: false, unknownKeys: {} },
      ...{ client_ids: [], target_user_ids: [], additional_fields: {}, payload: {} },
    };
    expect(encode(zeros)).toBe('{}');
  });
});

describe('encodeEnvelope, profile v4.2', () => {
  it('has the nanoseconds in the timestamp, and no key for them', () => {
    const timestampUnixNano = 1_767_323_045_123_456_789n;
    expect(encode({ ...login, timestampUnixNano, payload: { a: 1 } }, 'v4.2')).toBe(
      '{"id":"0123456789abcdef0123456789abcdef","name":"login","namespace":"game","timestamp":"2026-01-02T03:04:05.123456789Z","version":1,"payload":{"a":1}}',
    );
  });

  it.each([
    [1_767_323_045_000_000_000n, '2026-01-02T03:04:05Z'],
    [1_767_323_045_120_000_000n, '2026-01-02T03:04:05.12Z'],
    [1_767_323_045_000_000_010n, '2026-01-02T03:04:05.00000001Z'],
    // Of another second: a foreign service set only one of the two.
    [1_767_323_046_500_000_000n, '2026-01-02T03:04:05Z'],
  ])('writes %s as Go does', (timestampUnixNano, timestamp) => {
    const text = encode({ ...login, timestampUnixNano }, 'v4.2');
    expect(JSON.parse(text)).toMatchObject({ timestamp });
    expect(text).not.toContain('timestampUnixNano');
  });

  it('keeps the timestamp of an event that has no other time', () => {
    const { timestampUnixNano: _, ...older } = login;
    const timestamp = '2026-01-02T03:04:05.000000007+02:00';
    expect(JSON.parse(encode({ ...older, timestamp }, 'v4.2'))).toMatchObject({ timestamp });
  });

  it('writes the other keys as the default profile does', () => {
    const { timestampUnixNano: _, ...rest } = full;
    expect(encode(full, 'v4.2')).toBe(encode(rest));
  });
});

describe('encodeEnvelope, profile v3.1', () => {
  it('writes the bytes of the Go SDK', () => {
    expect(encode(login, 'v3.1')).toBe(
      '{"id":"0123456789abcdef0123456789abcdef","name":"login","namespace":"game","clientId":"","traceId":"","spanContext":"","userId":"","sessionId":"","timestamp":"2026-01-02T03:04:05Z","version":1,"event_id":0,"event_type":0,"event_level":0,"service":"","client_ids":null,"target_user_ids":null,"target_namespace":"","privacy":false,"topic":"","payload":null}',
    );
  });

  it('writes all of its keys in the order of the wire, and no newer ones', () => {
    expect(encode(full, 'v3.1')).toBe(
      '{"id":"0123456789abcdef0123456789abcdef","name":"login","namespace":"game","clientId":"client","traceId":"trace","spanContext":"a:b:0:1","userId":"user","sessionId":"session","timestamp":"2026-01-02T03:04:05Z","version":7,"event_id":9223372036854775807,"event_type":2,"event_level":3,"service":"shop","client_ids":["c\\u003c1\\u003e"],"target_user_ids":["u1","u2"],"target_namespace":"target","privacy":true,"topic":"topic","additional_fields":{"flag":false,"level":3},"payload":{"a":{"y":true,"z":null},"b":[1,"two"]},"Later":"x","more":[1]}',
    );
  });

  it('distinguishes empty lists and payloads from missing ones', () => {
    const text = encode({ ...login, client_ids: [], target_user_ids: [], payload: {} }, 'v3.1');
    expect(text).toContain('"client_ids":[],"target_user_ids":[],');
    expect(text).toMatch(/"payload":\{\}\}$/);
  });
});

describe('encodeEnvelope', () => {
  const wrong: [string, unknown][] = [
    ['id', 7],
    ['name', null],
    ['version', 1.5],
    ['version', '1'],
    ['event_id', Number.NaN],
    ['event_type', 2 ** 53],
    ['event_level', 2n ** 63n],
    ['timestampUnixNano', null],
    ['client_ids', 'a'],
    ['client_ids', ['a', 1]],
    ['target_user_ids', null],
    ['privacy', 1],
    ['additional_fields', []],
    ['payload', null],
    ['payload', 'text'],
    ['payload', [1]],
    ['payload', new Date(0)],
    ['payload', { a: Number.NaN }],
    ['unknownKeys', { NAME: 'x' }],
  ];

  it.each(wrong)('refuses %s when it is %o', (field, value) => {
    const envelope = { ...login, [field]: value } as EventEnvelope;
    for (const profile of ['default', 'v3.1'] as const) {
      // The older envelope does not have all keys.
      if (profile === 'v3.1' && field === 'timestampUnixNano') continue;
      expect(() => encodeEnvelope(envelope, profile)).toThrow(
        expect.objectContaining({ code: 'ENVELOPE_INVALID', details: { field } }),
      );
    }
  });

  it('is read back as the same envelope', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme' });
    const integer = fc.oneof(
      fc.maxSafeInteger().filter((value) => value !== 0),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    );
    const strings = fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 });
    const member = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.maxSafeInteger(),
      fc.bigInt({ min: 2n ** 60n, max: 2n ** 63n - 1n }),
      // A whole number beyond 2^53 comes back as a bigint.
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value)),
      fc.constant(null),
      fc.boolean(),
    );
    const object = fc.dictionary(text, fc.oneof(member, fc.array(member)), {
      minKeys: 1,
      noNullPrototype: true,
    });
    const envelopes = fc.record(
      {
        ...{ id: text, name: text, namespace: text, timestamp: text, version: integer },
        ...{ parentNamespace: text, unionNamespace: text, clientId: text, traceId: text },
        ...{ spanContext: text, userId: text, sessionId: text, service: text, topic: text },
        ...{ target_namespace: text, sourceNamespace: text },
        timestampUnixNano: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
        ...{ event_id: integer, event_type: integer, event_level: integer },
        ...{ client_ids: strings, target_user_ids: strings, privacy: fc.constant(true) },
        ...{ additional_fields: object, payload: object },
        unknownKeys: fc.record({ 'more, {"timestampUnixNano":1': member, later: object }),
      },
      { requiredKeys: ['id', 'name', 'namespace', 'timestamp', 'version'], noNullPrototype: true },
    );
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const bytes = encodeEnvelope(envelope, 'default');
        const read = decodeEnvelope(bytes);
        expect(read).toEqual(envelope);
        expect(encodeEnvelope(read, 'default')).toEqual(bytes);
      }),
    );
  });
});

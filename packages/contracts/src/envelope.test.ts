import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEnvelope, envelopeKeys } from './envelope.js';
import { parseExactJson } from './exact-json.js';
import { parseEnvelope } from './parse-envelope.js';
import { parseNanoTimestamp, toNanoTimestamp, toTimestamp } from './timestamps.js';

const wireText =
  '{"id":"0a","name":"login","namespace":"game","timestamp":"2026-01-02T03:04:05Z",' +
  '"timestampUnixNano":1767323045000000000,"version":1,"payload":{"a":1}}';
const wireRecord = parseExactJson(wireText, new Set(['timestampunixnano']));
const anyMoment = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

function invalidField(field: string): unknown {
  return expect.objectContaining({ code: 'ENVELOPE_INVALID', details: { field } });
}

describe('envelopeKeys', () => {
  it('are the keys of the wire, in its order', () => {
    expect(envelopeKeys.join(' ')).toBe(
      'id name namespace parentNamespace unionNamespace clientId traceId spanContext userId ' +
        'sessionId timestamp timestampUnixNano version event_id event_type event_level service ' +
        'client_ids target_user_ids target_namespace privacy topic sourceNamespace ' +
        'additional_fields payload',
    );
  });
});

describe('createEnvelope', () => {
  it('defaults to an id without hyphens, version 1 and the present time', () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    const event = createEnvelope({ name: 'login', namespace: 'game', payload: { a: 1 } });
    expect(event).toMatchObject({
      name: 'login',
      namespace: 'game',
      payload: { a: 1 },
      version: 1,
    });
    expect(event.id).toMatch(/^[0-9a-f]{12}7[0-9a-f]{19}$/);
    expect(event.timestampUnixNano).toBeGreaterThanOrEqual(before);
    expect(event.timestamp).toBe(toTimestamp(event.timestampUnixNano ?? 0n));
  });

  it('keeps the given values', () => {
    const timestampUnixNano = 1_767_323_045_999_999_999n;
    const given = { id: '0a', name: 'login', namespace: 'game', version: 7, timestampUnixNano };
    expect(createEnvelope(given)).toEqual({ ...given, timestamp: '2026-01-02T03:04:05Z' });
  });

  it('refuses a time beyond 64 bits', () => {
    const input = { name: 'login', namespace: 'game', timestampUnixNano: 2n ** 63n };
    expect(() => createEnvelope(input)).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
    );
  });
});

describe('parseEnvelope', () => {
  it('reads the record of the wire', () => {
    expect(parseEnvelope(wireRecord)).toEqual({
      id: '0a',
      name: 'login',
      namespace: 'game',
      timestamp: '2026-01-02T03:04:05Z',
      timestampUnixNano: 1_767_323_045_000_000_000n,
      version: 1,
      payload: { a: 1 },
    });
  });

  it('treats null and zeros as absent, and keeps empty lists and objects', () => {
    const zeros = { clientId: '', event_id: 0, timestampUnixNano: 0n, privacy: false, topic: null };
    const empty = { client_ids: [], payload: {} };
    expect(parseEnvelope({ ...zeros, ...empty })).toEqual({
      ...{ id: '', name: '', namespace: '', timestamp: '', version: 0 },
      ...empty,
    });
  });

  it('reads null in a list of strings as an empty string', () => {
    const lists = { client_ids: [null, 'x'], target_user_ids: [null] };
    expect(parseEnvelope(lists)).toMatchObject({
      client_ids: ['', 'x'],
      target_user_ids: [''],
    });
    expect(lists.client_ids).toEqual([null, 'x']);
  });

  it('matches keys without regard to case, and lets the last of them win', () => {
    const event = parseEnvelope({ NAME: 'a', USERID: 'u', name: 'b', EVENT_ID: 3, userId: '' });
    expect(event).toMatchObject({ name: 'b', event_id: 3 });
    expect(event).not.toHaveProperty('userId');
  });

  it('keeps unknown keys', () => {
    const record: unknown = JSON.parse('{"__proto__":{"x":1},"eventId":2,"more":[null]}');
    const { unknownKeys = {} } = parseEnvelope(record);
    expect(Object.entries(unknownKeys)).toEqual([
      ['__proto__', { x: 1 }],
      ['eventId', 2],
      ['more', [null]],
    ]);
  });

  it('keeps integers of 64 bits exact', () => {
    expect(parseEnvelope({ event_id: 2n ** 63n - 1n, version: 5n })).toMatchObject({
      event_id: 2n ** 63n - 1n,
      version: 5,
    });
  });

  it.each([
    ['id', 7],
    ['name', ['login']],
    ['version', 1.5],
    ['version', '1'],
    ['event_id', 2 ** 53],
    ['event_type', 2n ** 63n],
    ['timestampUnixNano', 1_767_323_045_000_000_000],
    ['privacy', 0],
    ['client_ids', 'a'],
    ['target_user_ids', ['a', 1]],
    ['client_ids', [null, ['a']]],
    ['additional_fields', []],
    ['payload', 'text'],
  ])('refuses %s when it is %s', (field, value) => {
    expect(() => parseEnvelope({ [field]: value })).toThrow(invalidField(field));
  });

  it.each([[null], [undefined], ['text'], [7], [[]]])('refuses %j as an event', (record) => {
    expect(() => parseEnvelope(record)).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
    );
  });
});

describe('timestamps', () => {
  it('are cut down to the whole second, also before 1970', () => {
    expect(toTimestamp(1_767_323_045_999_999_999n)).toBe('2026-01-02T03:04:05Z');
    expect(toTimestamp(-1n)).toBe('1969-12-31T23:59:59Z');
    expect(toNanoTimestamp(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
  });

  it('are restored exactly from nine digits', () => {
    fc.assert(
      fc.property(anyMoment, (unixNano) => {
        expect(parseNanoTimestamp(toNanoTimestamp(unixNano))).toBe(unixNano);
      }),
    );
  });

  it.each([
    '2026-01-02T03:04:05Z',
    '2026-01-02T03:04:05.12345678Z',
    '2026-02-30T03:04:05.000000000Z',
    '2026-01-02T24:00:00.000000000Z',
    '2026-01-02 03:04:05.000000000Z',
    '9999-01-02T03:04:05.000000000Z',
    '.000000000Z',
    '',
  ])('are not read from %j', (text) => {
    expect(parseNanoTimestamp(text)).toBeUndefined();
  });
});

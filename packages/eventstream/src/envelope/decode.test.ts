import { describe, expect, it } from 'vitest';
import { decodeEnvelope, decodeEnvelopeWithDigits } from './decode.js';
import { encodeEnvelope } from './encode.js';

const decode = (text: string): ReturnType<typeof decodeEnvelope> =>
  decodeEnvelope(Buffer.from(text));
const empty = { id: '', name: '', namespace: '', timestamp: '', version: 0 };

describe('decodeEnvelope', () => {
  it('reads the newer record', () => {
    expect(
      decode(
        '{"id":"0a","name":"login","namespace":"game","timestamp":"2026-01-02T03:04:05Z",' +
          '"timestampUnixNano":1767323045123456789,"version":1,"payload":{"a":1}}',
      ),
    ).toEqual({
      ...{ id: '0a', name: 'login', namespace: 'game', version: 1, payload: { a: 1 } },
      timestamp: '2026-01-02T03:04:05Z',
      timestampUnixNano: 1_767_323_045_123_456_789n,
    });
  });

  it('reads the older record', () => {
    expect(
      decode(
        '{"id":"0a","name":"login","namespace":"game","clientId":"","traceId":"","spanContext":"",' +
          '"userId":"","sessionId":"","timestamp":"t","version":1,"event_id":0,"event_type":0,' +
          '"event_level":0,"service":"","client_ids":null,"target_user_ids":null,' +
          '"target_namespace":"","privacy":false,"topic":"","payload":null}',
      ),
    ).toEqual({ id: '0a', name: 'login', namespace: 'game', timestamp: 't', version: 1 });
  });

  it('matches keys without regard to case; the last one wins, and null is zero', () => {
    expect(decode('{"NAME":"a","Name":"b","USERID":"u","userId":null,"Event_ID":3}')).toEqual({
      ...empty,
      name: 'b',
      event_id: 3,
    });
    expect(decode('{"name":"a","name":"b"}').name).toBe('b');
  });

  it('reads null in a list of strings as an empty string, and writes it as Go does', () => {
    const envelope = decode('{"client_ids":[null,"x"],"target_user_ids":["y",null]}');
    expect(envelope).toEqual({ ...empty, client_ids: ['', 'x'], target_user_ids: ['y', ''] });
    expect(encodeEnvelope(envelope, 'default').toString()).toBe(
      '{"client_ids":["","x"],"target_user_ids":["y",""]}',
    );
  });

  it.each([
    ['in another key', '{"TIMESTAMPUNIXNANO":1767323045123456789}', 1_767_323_045_123_456_789n],
    ['with space', '{ "timestampUnixNano" : 1767323045123456789 }', 1_767_323_045_123_456_789n],
    ['beside another', '{"event_id":9223372036854775807,"timestampUnixNano":1}', 1n],
    ['negative', '{"timestampUnixNano":-9223372036854775808}', -(2n ** 63n)],
    ['short', '{"timestampUnixNano":12}', 12n],
    ['twice', '{"timestampUnixNano":1767323045123456789,"timestampUnixNano":5}', 5n],
    [
      'twice, both long',
      '{"timestampUnixNano":1767323045123456789,"timestampUnixNano":1767323045123456790}',
      1_767_323_045_123_456_790n,
    ],
    [
      'also inside',
      '{"payload":{"timestampUnixNano":1767323045123456789},"timestampUnixNano":1767323045123456700}',
      1_767_323_045_123_456_700n,
    ],
    ['as a power', '{"timestampUnixNano":17673230451234567e2}', 1_767_323_045_123_456_700n],
    ['null', '{"timestampUnixNano":null}', undefined],
  ])('reads nanoseconds %s exactly', (_, text, expected) => {
    expect(decode(text).timestampUnixNano).toBe(expected);
  });

  it('keeps integers of 64 bits exact, everywhere', () => {
    const text =
      '{"timestampUnixNano":1767323045123456789,"event_id":9223372036854775807,' +
      '"payload":{"big":9007199254740993,"list":[-9223372036854775808],"small":5},' +
      '"more":18014398509481985}';
    const envelope = decode(text);
    expect(envelope.event_id).toBe(2n ** 63n - 1n);
    expect(envelope.payload).toEqual({ big: 2n ** 53n + 1n, list: [-(2n ** 63n)], small: 5 });
    expect(encodeEnvelope(envelope, 'default').toString()).toBe(text);
  });

  it('keeps integers of any length exact, which a double can hold about', () => {
    const { payload } = decode('{"payload":{"a":18446744073709551615,"b":[-1e2,1.50]}}');
    expect(payload).toEqual({ a: 2n ** 64n - 1n, b: [-100, 1.5] });
  });

  it.each(['', '"timestampUnixNano":1795985010460000000,'])(
    'keeps every digit of numbers for those who pass the event on',
    (nano) => {
      const payload = '{"a":18446744073709551615,"b":[1.50,-0,1E5,0.0000001,{"c":-1.0e-400}]}';
      const text = `{${nano}"event_id":9223372036854775807,"payload":${payload},"more":2.0}`;
      const envelope = decodeEnvelopeWithDigits(Buffer.from(text));
      expect(envelope.event_id).toBe(2n ** 63n - 1n);
      expect(encodeEnvelope(envelope, 'default').toString()).toBe(text);
      expect(() => decodeEnvelopeWithDigits(Buffer.from(text.replace('2.0', '2e308')))).toThrow(
        expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
      );
    },
  );

  it('keeps unknown keys, and writes them again', () => {
    const text = '{"name":"login","Partition":3,"later":{"a":[1]}}';
    const envelope = decode(text);
    expect(envelope).toEqual({
      ...empty,
      name: 'login',
      unknownKeys: JSON.parse('{"Partition":3,"later":{"a":[1]}}'),
    });
    expect(encodeEnvelope(envelope, 'default').toString()).toBe(text);
  });

  it.each([
    ['id', '7'],
    ['userId', '{}'],
    ['version', '1.5'],
    ['version', '"1"'],
    ['event_id', '9223372036854775808'],
    ['timestampUnixNano', '1767323045123456789.5'],
    ['timestampUnixNano', '"1767323045123456789"'],
    ['privacy', '0'],
    ['client_ids', '"a"'],
    ['target_user_ids', '["a",1]'],
    ['additional_fields', '[]'],
    ['payload', '"text"'],
  ])('fails a record whose %s is %s', (field, value) => {
    expect(() => decode(`{"${field}":${value}}`)).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID', details: { field } }),
    );
  });

  it.each(['', 'null', '[]', '"text"', '7', '{', '{"id":"a"}x', '\ufeff{}'])(
    'fails the record %j',
    (text) => {
      expect(() => decode(text)).toThrow(expect.objectContaining({ code: 'ENVELOPE_INVALID' }));
    },
  );

  it.each(['1e400', '-1E+0309', `1${'0'.repeat(309)}`])(
    'fails a record with a number that no double holds: %s',
    (number) => {
      for (const nano of ['', '"timestampUnixNano":1767323045123456789,']) {
        expect(() => decode(`{${nano}"payload":{"a":[${number}]}}`)).toThrow(
          expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
        );
      }
    },
  );

  it('accepts numbers that fit a double', () => {
    const { payload } = decode('{"payload":{"a":[1e300,-1E+100,1e-400,12e1]}}');
    expect(payload).toEqual({ a: [1e300, -1e100, 0, 120] });
  });

  it('reads bytes that are not UTF-8 as U+FFFD', () => {
    const bytes = Buffer.concat([Buffer.from('{"name":"a'), Buffer.of(0xff), Buffer.from('"}')]);
    expect(decodeEnvelope(bytes).name).toBe('a\ufffd');
  });
});

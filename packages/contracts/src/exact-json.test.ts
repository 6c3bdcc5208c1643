import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hasInfiniteNumber,
  hasRewrittenNumber,
  JsonNumber,
  parseExactJson,
  parseJsonWithBigints,
  parseJsonWithDigits,
  stringifyExactJson,
  toJsonInteger,
} from './exact-json.js';

const keys: ReadonlySet<string> = new Set(['delay']);
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

function delayOf(source: string): unknown {
  const parsed = parseExactJson(`{"delay":${source}}`, keys) as { delay: unknown };
  return parsed.delay;
}

describe('parseExactJson', () => {
  it('reads every integer of 64 bits under a chosen key exactly', () => {
    fc.assert(fc.property(int64, (value) => BigInt(delayOf(`${value}`) as number) === value));
  });

  it('returns a number where a number is exact, and a bigint otherwise', () => {
    expect(delayOf('9007199254740991')).toBe(9_007_199_254_740_991);
    expect(delayOf('9007199254740992')).toBe(9_007_199_254_740_992n);
    expect(delayOf('9007199254740993')).toBe(9_007_199_254_740_993n);
    expect(delayOf('1e3')).toBe(1_000);
    expect(delayOf('9.007199254740993e15')).toBe(9_007_199_254_740_993n);
    expect(delayOf('1.23456789012345e18')).toBe(1_234_567_890_123_450_000n);
  });

  it.each([
    '1e-400',
    '1.0000000000000000001',
    '4503599627370497.00000001',
    '10000000000000001e-16',
  ])('does not let %s pass for a whole number', (source) => {
    expect(Number.isInteger(JSON.parse(source))).toBe(true);
    expect(delayOf(source)).toBeNaN();
  });

  it.each([
    ['0.5', 0.5],
    ['9223372036854775808', 2 ** 63],
    ['1e300', 1e300],
    ['1e400', Number.POSITIVE_INFINITY],
    ['"9007199254740993"', '9007199254740993'],
    ['null', null],
  ])('gives %s as JSON.parse does', (source, value) => {
    expect(delayOf(source)).toBe(value);
  });

  it('matches keys without regard to case, at every depth', () => {
    const text = '{"a":[{"Delay":9007199254740993,"other":9007199254740993}]}';
    expect(parseExactJson(text, keys)).toEqual({
      a: [{ Delay: 9_007_199_254_740_993n, other: Number('9007199254740993') }],
    });
  });

  it('returns the result of JSON.parse if no key has a large integer', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseExactJson(text, keys)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('throws as JSON.parse does', () => {
    expect(() => parseExactJson('{"delay":', keys)).toThrow(SyntaxError);
    expect(() => parseExactJson('{"delay":1e5', keys)).toThrow(SyntaxError);
  });
});

describe('parseJsonWithBigints', () => {
  it('keeps integers of any length exact', () => {
    expect(parseJsonWithBigints('[18446744073709551615,-9007199254740993,1e300,1.50]')).toEqual([
      2n ** 64n - 1n,
      -9_007_199_254_740_993n,
      1e300,
      1.5,
    ]);
  });

  it('makes an integer beyond the range of a double infinite', () => {
    const parsed = parseJsonWithBigints(`{"a":[1${'0'.repeat(400)}]}`);
    expect(parsed).toEqual({ a: [Number.POSITIVE_INFINITY] });
    expect(hasInfiniteNumber(parsed)).toBe(true);
  });
});

describe('parseJsonWithDigits', () => {
  /** Text of any number in JSON. */
  const literal = fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.oneof(fc.constant('0'), fc.bigInt({ min: 1n, max: 10n ** 30n }).map(String)),
      fc.oneof(fc.constant(''), fc.stringMatching(/^\.[0-9]{1,20}$/)),
      fc.oneof(fc.constant(''), fc.stringMatching(/^[eE][+-]?[0-9]{1,3}$/)),
    )
    .map((parts) => parts.join(''));

  it('is written again with the same digits, whatever the number', () => {
    fc.assert(
      fc.property(literal, (number) => {
        const text = `{"a":${number},"b":[${number},{"c":${number}}]}`;
        expect(JSON.stringify(parseJsonWithDigits(text))).toBe(text);
        expect(stringifyExactJson(parseJsonWithDigits(number))).toBe(number);
      }),
    );
  });

  it('returns plain numbers where JavaScript writes the same digits', () => {
    const text = '[0,1.5,-12,0.000001,1.5e-7,123456789012345,"1.0"]';
    expect(hasRewrittenNumber(text)).toBe(true);
    expect(parseJsonWithDigits(text)).toEqual(JSON.parse(text));
    // Beyond 2^53 never, because a double may have the same digits by chance.
    expect(parseJsonWithDigits('[1795985010460000000]')).toEqual([
      new JsonNumber('1795985010460000000'),
    ]);
  });

  it('keeps what is beyond the range of a double, and tells so', () => {
    const parsed = parseJsonWithDigits('{"a":[-1e400]}');
    expect(JSON.stringify(parsed)).toBe('{"a":[-1e400]}');
    expect(hasInfiniteNumber(parsed)).toBe(true);
    expect(hasInfiniteNumber(parseJsonWithDigits('[1e308,1e-400]'))).toBe(false);
  });
});

describe('JsonNumber', () => {
  it.each(['', '01', '1.', '.5', '+1', 'NaN', '1e', '1,2', '"1"'])('refuses %j', (text) => {
    expect(() => new JsonNumber(text)).toThrow(SyntaxError);
  });
});

describe('stringifyExactJson', () => {
  it('writes a bigint as a bare number', () => {
    const value = { delay: 9_007_199_254_740_993n, list: [1n, 2 ** 53, 'x'] };
    expect(stringifyExactJson(value)).toBe(
      '{"delay":9007199254740993,"list":[1,9007199254740992,"x"]}',
    );
  });

  it('is read back exactly', () => {
    fc.assert(
      fc.property(int64, (delay) => {
        const read = parseExactJson(stringifyExactJson({ delay }), keys) as { delay: number };
        expect(BigInt(read.delay)).toBe(delay);
      }),
    );
  });
});

describe('toJsonInteger', () => {
  it('is written exactly by JSON.stringify itself', () => {
    fc.assert(
      fc.property(int64, (value) => JSON.stringify([toJsonInteger(value)]) === `[${value}]`),
    );
  });
});

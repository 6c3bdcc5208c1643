import { JsonNumber } from '@posthaste/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxDepth, toGoJson, toGoString } from './go-json.js';

const encodeJson = (value: unknown): string => toGoJson(value, 'payload');

const anyJson = fc.jsonValue({ noUnicodeString: false });
const anyText = fc.string({ unit: 'binary', maxLength: 60 });

describe('toGoString', () => {
  it.each([
    ['', '""'],
    ['plain', '"plain"'],
    ['<a href="x">&', '"\\u003ca href=\\"x\\"\\u003e\\u0026"'],
    ['\u2028\u2029', '"\\u2028\\u2029"'],
    ['\b\f\n\r\t\\', '"\\b\\f\\n\\r\\t\\\\"'],
    ['\u0000\u000b\u001f', '"\\u0000\\u000b\\u001f"'],
    ['\u007f\u0080é漢😀', '"\u007f\u0080é漢😀"'],
    ['a\ud800b', '"a\ufffdb"'],
    ['\udc00\ud800', '"\ufffd\ufffd"'],
    [`${'x'.repeat(40)}<`, `"${'x'.repeat(40)}\\u003c"`],
  ])('writes %j as Go does', (text, expected) => {
    expect(toGoString(text)).toBe(expected);
  });

  it('is read back as the same text, apart from lone surrogates', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(JSON.parse(toGoString(text))).toBe(text.toWellFormed());
      }),
    );
  });

  it('contains no character that is special in HTML or JavaScript', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(toGoString(text)).not.toMatch(/[<>&\u2028\u2029]/);
      }),
    );
  });
});

describe('toGoJson', () => {
  it('sorts keys by their UTF-8 bytes, at every depth', () => {
    expect(encodeJson({ b: [{ y: 1, x: 2 }], a: 0, B: 3, 10: 4, 9: 5, ä: 6 })).toBe(
      '{"10":4,"9":5,"B":3,"a":0,"b":[{"x":2,"y":1}],"ä":6}',
    );
    // As UTF-16 the second would come first: its first half is below U+FF5E.
    expect(encodeJson({ '😀': 1, '～': 2 })).toBe('{"～":2,"😀":1}');
  });

  it('writes any keys in the order of their bytes', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyText, { maxLength: 12 }), (keys) => {
        const object = Object.fromEntries(keys.map((key) => [key, 0]));
        const written = [...encodeJson(object).matchAll(/"((?:[^"\\]|\\.)*)":0/g)];
        const bytes = written.map(([, key]) => Buffer.from(JSON.parse(`"${key}"`) as string));
        expect(bytes).toEqual(bytes.toSorted(Buffer.compare));
        expect(bytes).toHaveLength(keys.length);
      }),
    );
  });

  it('is read back as the same value', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(JSON.parse(encodeJson(value))).toEqual(value);
      }),
    );
  });

  it('does not depend on the order of the members', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyJson), (object) => {
        const turned = Object.fromEntries(Object.entries(object).reverse());
        expect(encodeJson(turned)).toBe(encodeJson(object));
      }),
    );
  });

  it.each([
    [0, '0'],
    [-0, '-0'],
    [1.5, '1.5'],
    [0.1 + 0.2, '0.30000000000000004'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [-1.5e300, '-1.5e+300'],
    [1e-6, '0.000001'],
    [1e-7, '1e-7'],
    [-1.25e-9, '-1.25e-9'],
    [5e-324, '5e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [9_007_199_254_740_993n, '9007199254740993'],
    [-(2n ** 63n), '-9223372036854775808'],
    [2n ** 64n - 1n, '18446744073709551615'],
    [new JsonNumber('1.50'), '1.50'],
    [new JsonNumber('1E5'), '1E5'],
  ])('writes the number %s', (value, expected) => {
    expect(encodeJson(value)).toBe(expected);
  });

  it('treats values that JSON does not have as JSON.stringify does', () => {
    const at = new Date(0);
    expect(encodeJson({ at, gone: undefined, list: [undefined, null] })).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","list":[null,null]}',
    );
    expect(encodeJson([])).toBe('[]');
    expect(encodeJson({ a: undefined })).toBe('{}');
  });

  it.each([
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [() => 1, 'a function'],
    [Symbol('x'), 'Symbol(x)'],
    [new Map([['a', 1]]), 'a Map'],
    [new Map(), 'a Map'],
    [new Set([1]), 'a Set'],
    [new WeakMap(), 'a WeakMap'],
    [Promise.resolve(1), 'a Promise'],
    [/a/, 'a RegExp'],
    [Object(1), 'a Number'],
    [new ArrayBuffer(1), 'an ArrayBuffer'],
    [new DataView(new ArrayBuffer(1)), 'a DataView'],
    [new TypeError('no'), 'an Error'],
    [new Headers({ a: 'b' }), 'a Headers'],
    [new Map().keys(), 'a Map Iterator'],
    [new Set().values(), 'a Set Iterator'],
    [[1].values(), 'an Array Iterator'],
  ])('refuses %s, and names the field and the key', (value, text) => {
    expect(() => encodeJson({ price: [1, value] })).toThrow(
      expect.objectContaining({
        code: 'ENVELOPE_INVALID',
        message: `payload at "price" holds ${text}, which JSON cannot`,
        details: { field: 'payload' },
      }),
    );
  });

  it.each([() => 1, Symbol('x'), new Map(), new Set()])('refuses %s as a member too', (value) => {
    expect(() => encodeJson({ price: value })).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID', details: { field: 'payload' } }),
    );
    expect(() => encodeJson(value)).toThrow(expect.objectContaining({ code: 'ENVELOPE_INVALID' }));
  });

  it('writes the members of class instances, and what their toJSON returns', () => {
    class Price {
      amount = 3;
      double(): number {
        return this.amount * 2;
      }
    }
    class Tags extends Map<string, number> {
      toJSON(): object {
        return Object.fromEntries(this);
      }
    }
    expect(encodeJson({ price: new Price(), tags: new Tags([['a', 1]]) })).toBe(
      '{"price":{"amount":3},"tags":{"a":1}}',
    );
    expect(encodeJson(Object.assign(Object.create(null) as object, { a: 1 }))).toBe('{"a":1}');
  });

  it.each([
    [10n ** 309n, `1${'0'.repeat(39)}…`],
    [new JsonNumber('-1e400'), '-1e400'],
  ])('refuses a number beyond the range of a float64: %s', (value, text) => {
    const message = `payload at "price" holds ${text}, which is beyond the range of a float64`;
    expect(() => encodeJson({ price: value })).toThrow(expect.objectContaining({ message }));
  });

  it('refuses values that contain themselves or are too deep', () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    expect(() => encodeJson(loop)).toThrow(expect.objectContaining({ code: 'ENVELOPE_INVALID' }));
    const nested = (levels: number): unknown =>
      Array.from({ length: levels }).reduce<unknown>((inner) => [inner], []);
    expect(encodeJson(nested(maxDepth - 1))).toHaveLength(2 * maxDepth);
    expect(() => encodeJson(nested(maxDepth))).toThrow(/levels deep/);
  });
});

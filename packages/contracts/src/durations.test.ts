import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msToNs, nsToMs, parseDuration } from './durations.js';

const minInt64 = -(2n ** 63n);
const maxInt64 = 2n ** 63n - 1n;
const durationInvalid = expect.objectContaining({ code: 'DURATION_INVALID', type: 'invalid' });

describe('parseDuration', () => {
  it('accepts every integer of 64 bits as a bigint and as text', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: minInt64, max: maxInt64 }), (ns) => {
        expect(parseDuration(ns)).toBe(ns);
        expect(parseDuration(ns.toString())).toBe(ns);
      }),
    );
  });

  it('accepts every integer that a number holds exactly', () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (ns) => parseDuration(ns) === BigInt(ns)));
  });

  it.each([
    ['3e11', 300_000_000_000n],
    ['3E+11', 300_000_000_000n],
    ['1.5e3', 1_500n],
    ['1500e-2', 15n],
    ['2.0', 2n],
    ['0.000e5', 0n],
    ['0e999999999999', 0n],
    ['-0', 0n],
    ['9223372036854775807', maxInt64],
    ['9223372036854775807.000', maxInt64],
    ['-9.223372036854775808e18', minInt64],
  ])('reads %s as a whole number', (source, ns) => {
    expect(parseDuration(source)).toBe(ns);
  });

  it.each([
    0.5,
    1.000_000_1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    maxInt64 + 1n,
    minInt64 - 1n,
    '0.5',
    '15e-1',
    '1e-400',
    '9223372036854775808',
    '-9223372036854775809',
    '1e19',
    '1e999999999999999999999',
    '1e-999999999999999999999',
    '4503599627370497.00000000001',
    '',
    ' 1',
    '1 ',
    '+1',
    '0x10',
    '1n',
    'NaN',
    'ten',
    null,
    undefined,
    true,
    [1],
    {},
    Symbol('ns'),
  ])('refuses %s', (value) => {
    expect(() => parseDuration(value)).toThrow(durationInvalid);
  });

  it('rejects a million digits fast, with a short message', () => {
    const digits = `1${'0'.repeat(1_000_000)}1`;
    const started = performance.now();
    expect(() => parseDuration(digits)).toThrow(/^1000{0,38}… is not a whole number/);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('nsToMs and msToNs', () => {
  it.each([
    [0n, 0],
    [1n, 0.000_001],
    [1_500_000n, 1.5],
    [-250_000n, -0.25],
    [300_000_000_000n, 300_000],
  ])('convert %s ns to %s ms and back', (ns, ms) => {
    expect(nsToMs(ns)).toBe(ms);
    expect(msToNs(ms)).toBe(ns);
  });

  it('restore durations up to eleven days exactly', () => {
    const elevenDays = 10n ** 15n;
    fc.assert(
      fc.property(fc.bigInt({ min: -elevenDays, max: elevenDays }), (ns) => {
        expect(msToNs(nsToMs(ns))).toBe(ns);
      }),
    );
  });

  it('restore whole milliseconds of any length exactly', () => {
    const maxMs = Number(maxInt64 / 1_000_000n); // 292 years
    fc.assert(
      fc.property(fc.integer({ min: -maxMs, max: maxMs }), (ms) => {
        expect(msToNs(ms)).toBe(BigInt(ms) * 1_000_000n);
        expect(nsToMs(msToNs(ms))).toBe(ms + 0);
      }),
    );
  });

  it('read a number as it is written, not as the double below it', () => {
    expect(msToNs(0.1)).toBe(100_000n);
    expect(msToNs(4.35)).toBe(4_350_000n);
  });

  it.each([0.000_000_1, 0.1 + 0.2, Number.NaN, Number.POSITIVE_INFINITY, 1e13, 1e21])(
    'refuse %s ms',
    (ms) => {
      expect(() => msToNs(ms)).toThrow(durationInvalid);
    },
  );
});

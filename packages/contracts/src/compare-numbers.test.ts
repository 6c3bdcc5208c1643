import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareNumbers, isMultipleOf, isWhole } from './compare-numbers.js';
import { JsonNumber } from './exact-json.js';

const integer = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });
/** The same number in another spelling. */
const spelled = (value: bigint, zeros: number): JsonNumber =>
  new JsonNumber(`${value}.${'0'.repeat(zeros + 1)}`);

describe('exact numbers', () => {
  it('are compared as numbers, whatever their spelling', () => {
    fc.assert(
      fc.property(integer, integer, fc.nat(5), (a, b, zeros) => {
        const order = a < b ? -1 : Number(a > b);
        expect(Math.sign(compareNumbers(a, spelled(b, zeros)))).toBe(order + 0);
        expect(compareNumbers(spelled(a, zeros), a)).toBe(0);
      }),
    );
  });

  it.each<[string, string, number]>([
    ['1.50', '1.5', 0],
    ['1E2', '100', 0],
    ['-0', '0.0', 0],
    ['0.1', '0.10000000000000000001', -1],
    ['-0.1', '-0.10000000000000000001', 1],
    ['1e-400', '0', 1],
    ['-1e-400', '0', -1],
    ['-1', '1e-9', -1],
    ['123e-5', '0.00123', 0],
  ])('%s and %s have the order %s', (a, b, order) => {
    expect(Math.sign(compareNumbers(new JsonNumber(a), new JsonNumber(b)))).toBe(order);
  });

  it('are compared with doubles', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(compareNumbers(value, new JsonNumber(String(value)))).toBe(0);
      }),
    );
    expect(compareNumbers(2 ** 53, 2n ** 53n + 1n)).toBeLessThan(0);
  });

  it('are multiples of their divisors', () => {
    fc.assert(
      fc.property(integer, fc.bigInt({ min: 1n, max: 10n ** 20n }), (value, divisor) => {
        expect(isMultipleOf(value, divisor)).toBe(value % divisor === 0n);
        expect(isMultipleOf(spelled(value * divisor, 3), divisor)).toBe(true);
      }),
    );
    expect(isMultipleOf(0.3, 0.1)).toBe(true);
    expect(isMultipleOf(new JsonNumber(`1${'0'.repeat(100_000)}`), 7)).toBe(false);
    expect(isMultipleOf(new JsonNumber('1e-999999999'), 7)).toBe(false);
  });

  it('are divided whatever their exponents', () => {
    const nines = '9'.repeat(400);
    const isMultiple = (value: string, divisor: string): boolean =>
      isMultipleOf(new JsonNumber(value), new JsonNumber(divisor));
    expect(isMultiple('5', `1e-${nines}`)).toBe(true);
    expect(isMultiple(`5e-${nines}`, `1e-${nines}`)).toBe(true);
    expect(isMultiple('5', `7e-${nines}`)).toBe(false);
    expect(isMultiple('35', `7e-${nines}`)).toBe(true);
    expect(isMultiple('1', `1024e-${nines}`)).toBe(true);
    expect(isMultiple('1', '1025e-9999')).toBe(false);
    expect(isMultiple(`5e-${nines}`, '1')).toBe(false);
    expect(compareNumbers(new JsonNumber(`5e-${nines}`), new JsonNumber(`6e-${nines}`))).toBe(-1);
  });

  // These two took minutes, and end by the time limit of tests if they do again.
  it('are divided by long numbers of any exponent', () => {
    const divisor = new JsonNumber(`1.${'7'.repeat(7_000)}e-${'9'.repeat(300)}`);
    const values = Array.from({ length: 200 }, (_, i) => i + 0.5);
    expect(values.some((value) => isMultipleOf(value, divisor))).toBe(false);
  });

  it('are parsed once, however often they are compared', () => {
    const long = new JsonNumber(`0.${'0'.repeat(1_000_000)}1`);
    const values = Array.from({ length: 5_000 }, (_, i) => i + 1);
    expect(values.every((value) => compareNumbers(long, value) < 0)).toBe(true);
  });

  it('are whole if they have no fraction', () => {
    const whole = ['1.0', '15e-1', '150e-1', '1e300', '0.0', '-2'];
    expect(whole.map((text) => isWhole(new JsonNumber(text)))).toEqual([
      true,
      false,
      true,
      true,
      true,
      true,
    ]);
  });
});

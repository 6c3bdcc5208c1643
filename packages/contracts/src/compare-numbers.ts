/** Exact comparison of numbers as JSON writes them, of any length. */

import { JsonNumber } from './exact-json.js';

/** A number in a value that `parseJsonWithBigints` or `parseJsonWithDigits` returned. */
export type JsonNumeric = number | bigint | JsonNumber;

const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i;

/** Digits that are divided at once: their product with 10^15 is a small bigint. */
const chunkDigits = 15;

/** Most binary digits of a decimal digit, rounded up. */
const bitsPerDigit = 4;

/**
 * Largest power of ten of a number that is told apart from larger ones. A sum with the length of a
 * text is still exact.
 */
const maxExponent = 1e15;

/** Decimals of numbers that were compared: one of a million digits is compared with many others. */
const decimals = new WeakMap<JsonNumber, Decimal>();

/** `0.<digits>` times 10^`magnitude`. Zero has no digits. */
interface Decimal {
  readonly sign: 1 | -1;
  /** Without zeros at either end. */
  readonly digits: string;
  readonly magnitude: number;
}

export function isJsonNumeric(value: unknown): value is JsonNumeric {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof JsonNumber;
}

/** Returns a negative number if `a` is less than `b`, a positive one if it is greater, else 0. */
export function compareNumbers(a: JsonNumeric, b: JsonNumeric): number {
  // Doubles have the order of their shortest digits.
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return compareDecimals(toDecimal(a), toDecimal(b));
}

/** True if the number has no fraction. */
export function isWhole(value: JsonNumeric): boolean {
  if (typeof value === 'bigint') return true;
  if (typeof value === 'number') return Number.isInteger(value);
  return powerOf(toDecimal(value)) >= 0;
}

/** True if `value` divided by `divisor` is a whole number. `divisor` is greater than 0. */
export function isMultipleOf(value: JsonNumeric, divisor: JsonNumeric): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) {
    return Number(value) % Number(divisor) === 0;
  }
  const dividend = toDecimal(value);
  if (dividend.digits === '') return true;
  const part = toDecimal(divisor);
  const difference = powerOf(dividend) - powerOf(part);
  // The digits of the dividend do not end in a zero, so no power of ten divides them.
  if (difference < 0) return false;
  // The divisor's digits have no more factors of 2 and 5 than bits, so a higher power changes nothing.
  const power = Math.min(difference, bitsPerDigit * part.digits.length);
  const modulus = BigInt(part.digits);
  return (remainder(dividend.digits, modulus) * powerOfTen(power, modulus)) % modulus === 0n;
}

function toDecimal(value: JsonNumeric): Decimal {
  if (!(value instanceof JsonNumber)) return parseDecimal(value);
  const known = decimals.get(value);
  if (known !== undefined) return known;
  const decimal = parseDecimal(value);
  decimals.set(value, decimal);
  return decimal;
}

function parseDecimal(value: JsonNumeric): Decimal {
  const match = parts.exec(value.toString());
  if (!match) throw new RangeError(`${value} is not a number in JSON`);
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const all = whole + fraction;
  let start = 0;
  while (all[start] === '0') start += 1;
  let end = all.length;
  while (end > start && all[end - 1] === '0') end -= 1;
  const digits = all.slice(start, end);
  const power = Math.max(-maxExponent, Math.min(maxExponent, Number(exponent)));
  const magnitude = digits === '' ? 0 : power + whole.length - start;
  return { sign: sign === '' || digits === '' ? 1 : -1, digits, magnitude };
}

/** Returns the power of ten of the last digit. */
function powerOf({ digits, magnitude }: Decimal): number {
  return magnitude - digits.length;
}

function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.digits === '' || b.digits === '' || a.sign !== b.sign) return orderOf(a) - orderOf(b);
  if (a.magnitude !== b.magnitude) return a.sign * (a.magnitude - b.magnitude);
  if (a.digits === b.digits) return 0;
  // As fractions, so the shorter of two with the same beginning is the smaller.
  return a.digits < b.digits ? -a.sign : a.sign;
}

function orderOf({ sign, digits }: Decimal): number {
  return digits === '' ? 0 : sign;
}

/** Divides chunk by chunk: a bigint of a million digits would take seconds. */
function remainder(digits: string, modulus: bigint): bigint {
  let rest = 0n;
  for (let at = 0; at < digits.length; at += chunkDigits) {
    const chunk = digits.slice(at, at + chunkDigits);
    rest = (rest * 10n ** BigInt(chunk.length) + BigInt(chunk)) % modulus;
  }
  return rest;
}

/** Returns 10^`power` modulo `modulus`, by squaring. */
function powerOfTen(power: number, modulus: bigint): bigint {
  let result = 1n;
  let square = 10n % modulus;
  for (let left = BigInt(power); left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

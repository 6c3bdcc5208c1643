/**
 * Exact numbers in JSON. A JSON number may have any length, but a JavaScript number is rounded beyond
 * 2^53. So nanoseconds and other 64 bit integers are read from the digits of the text, and written as
 * such. Other numbers can be kept as they are written.
 */

/** Value that `JSON.stringify` writes letter for letter, as made by `JSON.rawJSON`. */
export interface RawJson {
  readonly rawJSON: string;
}

/** Source text access of ECMAScript. TypeScript's library does not declare it yet. */
interface SourceTextJson extends JSON {
  parse(
    text: string,
    reviver?: (key: string, value: unknown, context?: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawJson;
}

const sourceTextJson = JSON as SourceTextJson;

const numberPattern = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i;

/**
 * Matches number literals that a double may not hold exactly: those of 16 or more characters, and
 * those with an exponent. Shorter ones have at most 15 digits, which a double holds. It also matches
 * some text inside of strings, which only costs time.
 */
const inexactLiteral = /[:,[]\s*-?(?:[\d.]{16}|[\d.]+e)/i;

/**
 * Matches number literals that may differ from what JavaScript writes for them: those above, those
 * with a zero at the end of a fraction, those below 0.000001, and -0.
 */
const rewrittenLiteral =
  /(?:^|[:,[])\s*-?(?:[\d.]{16}|[\d.]+e|\d+\.\d*0(?!\d)|0\.000000|(?<=-)0(?![\d.]))/i;

const jsonNumberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i;
const plainInteger = /^-?\d+$/;

const int64Digits = 19;

/**
 * A number as JSON has it, for numbers that JavaScript would write otherwise: `1.50`, `-0`, 2^64.
 * `JSON.stringify` writes its text.
 */
export class JsonNumber {
  /** The number as it is written. */
  readonly text: string;

  /** @throws SyntaxError if the text is not a number in JSON */
  constructor(text: string) {
    if (!jsonNumberPattern.test(text)) throw new SyntaxError('the text is not a number in JSON');
    this.text = text;
  }

  /** The nearest double; infinite if the number is beyond the range of doubles. */
  valueOf(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }

  toJSON(): RawJson {
    return sourceTextJson.rawJSON(this.text);
  }
}

/**
 * Parses decimal text to a whole number, times 10^`shift`: `1.5e3` is 1500n. Returns `undefined` if
 * the text is not a number, or the number is not whole or does not fit 64 bits.
 */
export function parseInt64(source: string, shift = 0): bigint | undefined {
  const match = numberPattern.exec(source);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  // A loop, because /0+$/ takes quadratic time on a million zeros that end in a one.
  let end = digits.length;
  while (digits[end - 1] === '0') end -= 1;
  if (end === 0) return 0n;
  const power = Number(exponent) + shift - fraction.length + digits.length - end;
  // Checked before the power is computed, because it may be a billion.
  if (power < 0 || end + power > int64Digits) return undefined;
  const magnitude = BigInt(digits.slice(0, end)) * 10n ** BigInt(power);
  const value = sign ? -magnitude : magnitude;
  return isInt64(value) ? value : undefined;
}

/** True if the bigint fits 64 bits. */
export function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

/**
 * Parses JSON and keeps the integers under `keys` exact: those beyond 2^53 and within 64 bits become a
 * bigint. A number there that is not whole, but whose double is, becomes `NaN`, so that no check for
 * whole numbers accepts it. Other numbers are parsed as by `JSON.parse`.
 * @param keys keys in lower case; they are matched without regard to case
 * @throws SyntaxError as `JSON.parse` does
 */
export function parseExactJson(text: string, keys: ReadonlySet<string>): unknown {
  if (!inexactLiteral.test(text)) return JSON.parse(text);
  return sourceTextJson.parse(text, (key, value, context) =>
    typeof value === 'number' && keys.has(key.toLowerCase())
      ? exactNumber(value, context?.source)
      : value,
  );
}

/**
 * Parses JSON and keeps every integer exact: those beyond 2^53 become a bigint. Integers beyond 64
 * bits that are written with an exponent stay numbers, and those beyond the range of a double become
 * infinite.
 */
export function parseJsonWithBigints(text: string): unknown {
  if (!inexactLiteral.test(text)) return JSON.parse(text);
  return sourceTextJson.parse(text, (_key, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined
      ? toInteger(context.source, value)
      : value,
  );
}

function toInteger(source: string, value: number): number | bigint {
  if (Number.isFinite(value) && plainInteger.test(source)) return BigInt(source);
  return parseInt64(source) ?? value;
}

/**
 * Parses JSON and keeps all numbers as they are written: one that JavaScript would write otherwise,
 * or that is beyond 2^53, becomes a `JsonNumber`, also beyond the range of a double. `JSON.stringify` writes the numbers of
 * the result with the same digits.
 */
export function parseJsonWithDigits(text: string): unknown {
  if (!hasRewrittenNumber(text)) return JSON.parse(text);
  return sourceTextJson.parse(text, (_key, value, context) =>
    typeof value === 'number' && context?.source !== undefined && isRewritten(value, context.source)
      ? new JsonNumber(context.source)
      : value,
  );
}

/** True also for integers beyond 2^53, which may have the same digits by chance. */
function isRewritten(value: number, source: string): boolean {
  return String(value) !== source || Math.abs(value) > Number.MAX_SAFE_INTEGER;
}

/**
 * True if JSON text may have a number that JavaScript would write otherwise. Also true for some text
 * inside of strings.
 */
export function hasRewrittenNumber(text: string): boolean {
  return rewrittenLiteral.test(text);
}

/** True if a number in the parsed JSON value is beyond the range of a double. */
export function hasInfiniteNumber(value: unknown): boolean {
  if (typeof value === 'number') return value === Infinity || value === -Infinity;
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof JsonNumber) return !Number.isFinite(value.valueOf());
  return Object.values(value).some(hasInfiniteNumber);
}

function exactNumber(value: number, source: string | undefined): number | bigint {
  if (source === undefined) return value;
  const whole = parseInt64(source);
  if (whole === undefined) return Number.isSafeInteger(value) ? Number.NaN : value;
  return Number.isSafeInteger(value) ? value : whole;
}

/**
 * Converts a bigint to a value that plain `JSON.stringify` writes as a bare number of any length.
 * Beyond 2^53 this needs `JSON.rawJSON`: Node 22, or a browser of 2025.
 */
export function toJsonInteger(value: bigint): number | RawJson {
  const rounded = Number(value);
  return Number.isSafeInteger(rounded) ? rounded : sourceTextJson.rawJSON(value.toString());
}

/** Writes JSON with every bigint as a bare number, see `toJsonInteger`. */
export function stringifyExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? toJsonInteger(member) : member,
  );
}

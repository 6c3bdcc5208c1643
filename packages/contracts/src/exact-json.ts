/**
 * Exact integers in JSON. A JSON number may have any length, but a JavaScript number is rounded beyond
 * 2^53. So nanoseconds and other 64 bit integers are read from the digits of the text, and written as
 * such.
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

const int64Digits = 19;

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

/** Parses JSON and keeps every integer of 64 bits exact: those beyond 2^53 become a bigint. */
export function parseJsonWithBigints(text: string): unknown {
  if (!inexactLiteral.test(text)) return JSON.parse(text);
  return sourceTextJson.parse(text, (_key, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined
      ? (parseInt64(context.source) ?? value)
      : value,
  );
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

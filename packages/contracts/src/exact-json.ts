/**
 * Exact integers in JSON. A JSON number may have any length, a JavaScript number rounds beyond
 * 2^53; nanoseconds and other 64 bit integers are read from, and written as, their own digits.
 */

/** What `JSON.stringify` writes letter for letter. */
export interface RawJson {
  readonly rawJSON: string;
}

/** Source text access of ECMAScript, which TypeScript's library does not describe yet. */
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
 * A number literal whose double may differ from it: one of 16 or more characters, or one with an
 * exponent. All shorter ones have at most 15 digits, which a double keeps apart. It also finds
 * some that are inside of strings, which costs time and nothing else.
 */
const inexactLiteral = /[:,[]\s*-?(?:[\d.]{16}|[\d.]+e)/i;

const int64Digits = 19;

/**
 * The whole number that decimal text means, times 10^`shift`: `1.5e3` is 1500n. `undefined` when
 * the text is no number, the number is not whole, or it does not fit 64 bits.
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
  // Checked before computing: the power may be a billion.
  if (power < 0 || end + power > int64Digits) return undefined;
  const magnitude = BigInt(digits.slice(0, end)) * 10n ** BigInt(power);
  const value = sign ? -magnitude : magnitude;
  return isInt64(value) ? value : undefined;
}

export function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

/**
 * `JSON.parse` that keeps the integers under `keys` (given in lower case, matched without regard
 * to case) exact: beyond 2^53 and within 64 bits they become a bigint. A number there that is not
 * whole, but so close that a double is, becomes `NaN`: no check for whole numbers lets it pass.
 * Numbers elsewhere are what `JSON.parse` makes of them. @throws SyntaxError as `JSON.parse` does
 */
export function parseExactJson(text: string, keys: ReadonlySet<string>): unknown {
  if (!inexactLiteral.test(text)) return JSON.parse(text);
  return sourceTextJson.parse(text, (key, value, context) =>
    typeof value === 'number' && keys.has(key.toLowerCase())
      ? exactNumber(value, context?.source)
      : value,
  );
}

/** `JSON.parse` that keeps every integer of 64 bits exact, as a bigint beyond 2^53. */
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
 * A bigint as something that plain `JSON.stringify` writes as a bare number of any length. Beyond
 * 2^53 this needs `JSON.rawJSON`: Node 22, or a browser of 2025.
 */
export function toJsonInteger(value: bigint): number | RawJson {
  const rounded = Number(value);
  return Number.isSafeInteger(rounded) ? rounded : sourceTextJson.rawJSON(value.toString());
}

/** `JSON.stringify` that writes every bigint as a bare number, see `toJsonInteger`. */
export function stringifyExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? toJsonInteger(member) : member,
  );
}

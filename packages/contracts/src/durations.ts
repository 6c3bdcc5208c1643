import { PlatformError } from './errors/errors.js';
import { isInt64, parseInt64 } from './exact-json.js';

const nsPerMs = 1_000_000;
const msToNsShift = 6;
const maxQuotedLength = 40;

/**
 * Parses a duration on the wire, in nanoseconds: a number, a bigint, or the text of a number as in
 * JSON (`"300000000000"`, `"3e11"`). Negative durations are accepted; a caller that does not want them
 * must check. Numbers beyond 2^53 are refused, because they may have been rounded before; read them
 * with `parseExactJson`.
 * @throws PlatformError `DURATION_INVALID` if it is not whole or does not fit 64 bits
 */
export function parseDuration(value: unknown): bigint {
  const ns = toInt64(value);
  if (ns !== undefined) return ns;
  throw new PlatformError(
    'DURATION_INVALID',
    `${quote(value)} is not a whole number of nanoseconds that fits 64 bits`,
  );
}

/**
 * Converts nanoseconds to milliseconds, with a fraction. The result is exact up to eleven days, and for
 * every number of whole milliseconds; otherwise the fraction is rounded.
 */
export function nsToMs(ns: bigint): number {
  const rounded = Number(ns);
  if (Number.isSafeInteger(rounded)) return rounded / nsPerMs;
  return Number(ns / BigInt(nsPerMs)) + Number(ns % BigInt(nsPerMs)) / nsPerMs;
}

/**
 * Converts milliseconds to nanoseconds, exactly as the number is written: 0.1 is 100000n.
 * @throws PlatformError `DURATION_INVALID` for parts of a nanosecond and beyond 64 bits
 */
export function msToNs(ms: number): bigint {
  // By way of the text, because 0.1 * 1e6 rounds twice and may give another number.
  const ns = parseInt64(String(ms), msToNsShift);
  if (ns !== undefined) return ns;
  throw new PlatformError(
    'DURATION_INVALID',
    `${ms} ms is not a whole number of nanoseconds that fits 64 bits`,
  );
}

function toInt64(value: unknown): bigint | undefined {
  switch (typeof value) {
    case 'bigint':
      return isInt64(value) ? value : undefined;
    case 'number':
      return Number.isSafeInteger(value) ? BigInt(value) : undefined;
    case 'string':
      return parseInt64(value);
    default:
      return undefined;
  }
}

/** Returns the value as short text for a message. */
function quote(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? 'an object' : String(value);
  return text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text;
}

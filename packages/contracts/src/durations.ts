import { PlatformError } from './errors.js';
import { isInt64, parseInt64 } from './exact-json.js';

const nsPerMs = 1_000_000;
const msToNsShift = 6;
const maxQuotedLength = 40;

/**
 * A duration on the wire, in nanoseconds: a number, a bigint, or the text of a number as in JSON
 * source (`"300000000000"`, `"3e11"`). Negative ones are durations too: a caller that takes none
 * checks. Numbers beyond 2^53 are refused, since they may have been rounded on the way here; read
 * them with `parseExactJson`.
 * @throws PlatformError `DURATION_INVALID` when it is not whole or does not fit 64 bits
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
 * Nanoseconds as milliseconds, with a fraction. Exact up to eleven days, and for every number of
 * whole milliseconds; else the fraction is rounded.
 */
export function nsToMs(ns: bigint): number {
  const rounded = Number(ns);
  if (Number.isSafeInteger(rounded)) return rounded / nsPerMs;
  return Number(ns / BigInt(nsPerMs)) + Number(ns % BigInt(nsPerMs)) / nsPerMs;
}

/**
 * Milliseconds as nanoseconds, exactly as the number reads: 0.1 is 100000n.
 * @throws PlatformError `DURATION_INVALID` for parts of a nanosecond and beyond 64 bits
 */
export function msToNs(ms: number): bigint {
  // Through the text, because 0.1 * 1e6 rounds twice and so may miss.
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

/** The value for a message: short, whatever came in. */
function quote(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? 'an object' : String(value);
  return text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text;
}

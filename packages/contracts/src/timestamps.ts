/** The two ways in which the envelope and CloudEvents write a moment. */

import { PlatformError } from './errors.js';
import { isInt64 } from './exact-json.js';

const nsPerSecond = 1_000_000_000n;
const fractionDigits = 9;

/** Events of one second have one timestamp, and most come one after another. */
const last = { second: 0n, text: '1970-01-01T00:00:00Z' };

const rfc3339Pattern =
  /^\d{4}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i;

/**
 * Nanoseconds since 1970 as RFC 3339, UTC, cut to whole seconds: `2026-01-02T03:04:05Z`.
 * @throws PlatformError `ENVELOPE_INVALID` beyond 64 bits (years 1677 to 2262)
 */
export function toTimestamp(unixNano: bigint): string {
  const sinceLast = unixNano - last.second;
  if (sinceLast >= 0n && sinceLast < nsPerSecond) return last.text;
  if (!isInt64(unixNano)) {
    throw new PlatformError('ENVELOPE_INVALID', `timestampUnixNano ${unixNano} is over 64 bits`);
  }
  const second = unixNano - nanosecondsOf(unixNano);
  const ms = (second / nsPerSecond) * 1_000n;
  last.second = second;
  last.text = `${new Date(Number(ms)).toISOString().slice(0, -'.000Z'.length)}Z`;
  return last.text;
}

/** The same with all nine digits of the second: `2026-01-02T03:04:05.000000000Z`. */
export function toNanoTimestamp(unixNano: bigint): string {
  const digits = nanosecondsOf(unixNano).toString().padStart(fractionDigits, '0');
  return `${toTimestamp(unixNano).slice(0, -1)}.${digits}Z`;
}

/** Reads what `toNanoTimestamp` writes; `undefined` for anything else. */
export function parseNanoTimestamp(text: string): bigint | undefined {
  const suffix = text.slice(-'.000000000Z'.length);
  const ms = Date.parse(`${text.slice(0, -suffix.length)}Z`);
  if (Number.isNaN(ms) || !/^\.\d{9}Z$/.test(suffix)) return undefined;
  const unixNano = BigInt(ms) * 1_000_000n + BigInt(suffix.slice(1, -1));
  // Dates that roll over (February 30) and other spellings do not come back as they were.
  return isInt64(unixNano) && toNanoTimestamp(unixNano) === text ? unixNano : undefined;
}

export function isRfc3339(text: string): boolean {
  return rfc3339Pattern.test(text);
}

/** Nanoseconds after the whole second. Before 1970 that is the earlier second, so never below 0. */
function nanosecondsOf(unixNano: bigint): bigint {
  const remainder = unixNano % nsPerSecond;
  return remainder < 0n ? remainder + nsPerSecond : remainder;
}

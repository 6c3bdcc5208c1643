/** The two text forms of a moment: whole seconds in the envelope, nine digits in CloudEvents. */

import { PlatformError } from './errors/errors.js';
import { isInt64 } from './exact-json.js';

const nsPerSecond = 1_000_000_000n;
const fractionDigits = 9;

/** Result of the last call: consecutive events mostly fall into the same second. */
const last = { second: 0n, text: '1970-01-01T00:00:00Z' };

const rfc3339Pattern =
  /^\d{4}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i;

/**
 * Converts nanoseconds since 1970 to RFC 3339 in UTC, cut to whole seconds: `2026-01-02T03:04:05Z`.
 * @throws PlatformError `ENVELOPE_INVALID` beyond 64 bits (years 1677 to 2262)
 */
export function toTimestamp(unixNano: bigint): string {
  const sinceLast = unixNano - last.second;
  if (sinceLast >= 0n && sinceLast < nsPerSecond) return last.text;
  if (!isInt64(unixNano)) {
    throw new PlatformError(
      'ENVELOPE_INVALID',
      `timestampUnixNano ${unixNano} does not fit 64 bits`,
    );
  }
  const second = unixNano - nanosecondsOf(unixNano);
  const ms = (second / nsPerSecond) * 1_000n;
  last.second = second;
  last.text = `${new Date(Number(ms)).toISOString().slice(0, -'.000Z'.length)}Z`;
  return last.text;
}

/** Converts nanoseconds since 1970 to RFC 3339 with nine digits: `2026-01-02T03:04:05.000000000Z`. */
export function toNanoTimestamp(unixNano: bigint): string {
  const digits = nanosecondsOf(unixNano).toString().padStart(fractionDigits, '0');
  return `${toTimestamp(unixNano).slice(0, -1)}.${digits}Z`;
}

/** Parses the output of `toNanoTimestamp`; returns `undefined` for any other text. */
export function parseNanoTimestamp(text: string): bigint | undefined {
  const suffix = text.slice(-'.000000000Z'.length);
  const ms = Date.parse(`${text.slice(0, -suffix.length)}Z`);
  if (Number.isNaN(ms) || !/^\.\d{9}Z$/.test(suffix)) return undefined;
  const unixNano = BigInt(ms) * 1_000_000n + BigInt(suffix.slice(1, -1));
  // Rejects dates that roll over (February 30) and other spellings: they are written differently.
  return isInt64(unixNano) && toNanoTimestamp(unixNano) === text ? unixNano : undefined;
}

/** True if the text has the form of an RFC 3339 timestamp. */
export function isRfc3339(text: string): boolean {
  return rfc3339Pattern.test(text);
}

/** Returns the nanoseconds since the last whole second: 0 or more, also before 1970. */
function nanosecondsOf(unixNano: bigint): bigint {
  const remainder = unixNano % nsPerSecond;
  return remainder < 0n ? remainder + nsPerSecond : remainder;
}

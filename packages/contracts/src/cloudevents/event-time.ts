/** The time of an event: `time` of CloudEvents, and the two keys that the envelope has for it. */

import type { EventEnvelope } from '../envelope.js';
import { isInt64, parseInt64 } from '../exact-json.js';
import { isRfc3339, toNanoTimestamp, toTimestamp } from '../timestamps.js';

/** Keys of the envelope for its time. */
export type EnvelopeTime = Pick<EventEnvelope, 'timestamp' | 'timestampUnixNano'>;

/** Attributes for the time of an event. */
export interface TimeAttributes {
  readonly time?: string | undefined;
  readonly timestamp?: string | undefined;
  readonly timestampunixnano?: string | undefined;
}

const nsPerMs = 1_000_000n;
const fraction = /\.(\d+)/;

/** True if the text is a timestamp of RFC 3339 whose day the calendar has. */
export function isTime(text: string): boolean {
  if (!isRfc3339(text)) return false;
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  return day >= 1 && day <= daysOf(year, month);
}

function daysOf(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/**
 * Returns the attributes of an envelope's time. `time` alone, unless its two keys are of different
 * moments: then `timestamp` and `timestampunixnano` have them.
 */
export function toTimeAttributes({
  timestamp,
  timestampUnixNano = 0n,
}: EnvelopeTime): TimeAttributes {
  const text = timestamp === '' ? undefined : timestamp;
  if (timestampUnixNano === 0n) return isTime(timestamp) ? { time: text } : { timestamp: text };
  const time = toNanoTimestamp(timestampUnixNano);
  if (timestamp === toTimestamp(timestampUnixNano)) return { time };
  return { time, timestamp: text, timestampunixnano: timestampUnixNano.toString() };
}

/** True if the envelope has its time only as text. From the text alone it would be read as both keys. */
export function hasOnlyText({ timestamp, timestampUnixNano = 0n }: EnvelopeTime): boolean {
  return timestampUnixNano === 0n && isTime(timestamp);
}

/**
 * Returns the time that an envelope has. `timestamp` and `timestampunixnano` count only if
 * `toTimeAttributes` wrote them; those of foreign events mean something else.
 */
export function fromTimeAttributes(attributes: Readonly<Record<string, unknown>>): EnvelopeTime {
  const { time, timestamp, timestampunixnano } = attributes;
  if (timestamp !== undefined || timestampunixnano !== undefined) {
    const own = toEnvelopeTime(timestamp, timestampunixnano);
    const written = toTimeAttributes(own);
    const isOwn =
      written.time === time &&
      written.timestamp === timestamp &&
      written.timestampunixnano === timestampunixnano;
    if (isOwn) return own;
  }
  if (typeof time !== 'string') return { timestamp: '' };
  const unixNano = parseTime(time);
  if (unixNano === undefined) return { timestamp: time };
  return { timestamp: toTimestamp(unixNano), timestampUnixNano: unixNano };
}

function toEnvelopeTime(timestamp: unknown, unixNano: unknown): EnvelopeTime {
  const timestampUnixNano = typeof unixNano === 'string' ? parseInt64(unixNano) : undefined;
  return {
    timestamp: typeof timestamp === 'string' ? timestamp : '',
    ...(timestampUnixNano !== undefined && { timestampUnixNano }),
  };
}

/**
 * Parses a timestamp to nanoseconds since 1970; more than nine digits of a second are cut off.
 * Returns undefined for a leap second and beyond 64 bits (before 1677, after 2262).
 */
function parseTime(text: string): bigint | undefined {
  const digits = fraction.exec(text)?.[1] ?? '';
  const ms = Date.parse(text.replace(fraction, '').toUpperCase());
  if (Number.isNaN(ms)) return undefined;
  const unixNano = BigInt(ms) * nsPerMs + BigInt(digits.slice(0, 9).padEnd(9, '0'));
  return isInt64(unixNano) ? unixNano : undefined;
}

/**
 * The envelope from bytes, as Go services read it (event stream spec, section 3), with every
 * integer of 64 bits exact.
 */

import {
  type EventEnvelope,
  PlatformError,
  parseEnvelope,
  parseJsonWithBigints,
} from '@posthaste/contracts';

const nanoMember = '"timestampUnixNano":';

/**
 * A number of 16 digits or more, which a double may round, or with a power of three digits, for
 * which it may be too small. A text in quotes does not match.
 */
const longNumber = /[:,[]\s*-?(?:\d{16}|[\d.]+e\+?\d{3})/gi;

const digits = /-?\d+/y;

/**
 * Keys match without regard to case, the last wins; null is zero; integers beyond 2^53 are bigint,
 * everywhere. Bytes that are not UTF-8 become U+FFFD.
 * @throws PlatformError `ENVELOPE_INVALID`: no JSON object (the text `null` is none), or a key with
 *   a value of the wrong type; `details.field` then names it
 */
export function decodeEnvelope(value: Buffer): EventEnvelope {
  return parseEnvelope(parseJson(value.toString('utf8')));
}

function parseJson(text: string): unknown {
  try {
    return parseWithNano(text) ?? parseExactly(text);
  } catch (error) {
    throw new PlatformError('ENVELOPE_INVALID', 'the event is not JSON that Go reads', {
      cause: error,
    });
  }
}

/**
 * Every event has one long number, its nanoseconds, and mostly no other. Exact parsing asks for the
 * source of each value, which costs ten times as much as plain parsing; so that one is read here
 * and put back. `undefined` when it is not as simple as that.
 */
function parseWithNano(text: string): unknown {
  const start = text.indexOf(nanoMember);
  if (start === -1 || !isOfTheEvent(text, start)) return undefined;
  digits.lastIndex = start + nanoMember.length;
  const nano = digits.exec(text)?.[0];
  if (nano === undefined || /[.eE]/.test(text.charAt(digits.lastIndex))) return undefined;
  const end = digits.lastIndex;
  if (hasLongNumber(text.slice(0, start)) || hasLongNumber(text, end)) return undefined;
  const record = JSON.parse(text) as { timestampUnixNano?: unknown };
  // Of two such keys JSON.parse kept the last, and this may have read the first.
  if (record.timestampUnixNano !== Number(nano)) return undefined;
  record.timestampUnixNano = BigInt(nano);
  return record;
}

/** Whether the member at `start` is one of the outermost object. */
function isOfTheEvent(text: string, start: number): boolean {
  const inner = text.indexOf('{', 1);
  return (
    text.startsWith('{') && (inner === -1 || inner > start) && /[{,]/.test(text.charAt(start - 1))
  );
}

function parseExactly(text: string): unknown {
  return hasLongNumber(text) ? requireFinite(parseJsonWithBigints(text)) : JSON.parse(text);
}

function hasLongNumber(text: string, from = 0): boolean {
  longNumber.lastIndex = from;
  return longNumber.test(text);
}

/** Go drops a record with a number that no double holds, and nobody could publish it again. */
function requireFinite(value: unknown): unknown {
  if (value === Infinity || value === -Infinity) throw new RangeError('a number is too large');
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(requireFinite);
  return value;
}

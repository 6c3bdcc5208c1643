/** Decodes envelopes as Go services read them, with every integer exact. */

import {
  type EventEnvelope,
  hasInfiniteNumber,
  hasRewrittenNumber,
  PlatformError,
  parseEnvelope,
  parseJsonWithBigints,
  parseJsonWithDigits,
} from '@posthaste/contracts';

const nanoMember = '"timestampUnixNano":';

/**
 * A number of 16 digits or more, which a double may round, or with an exponent of three digits,
 * which a double may not hold. A text in quotes does not match.
 */
const longNumber = /[:,[]\s*-?(?:\d{16}|[\d.]+e\+?\d{3})/i;

const digits = /-?\d+/y;

/** Parser of the JSON of envelopes. */
interface NumberParser {
  /** True if the text may have numbers that a plain parser would change. */
  readonly applies: (text: string) => boolean;
  readonly parse: (text: string) => unknown;
}

const bigints: NumberParser = {
  applies: (text) => longNumber.test(text),
  parse: parseJsonWithBigints,
};
const withDigits: NumberParser = { applies: hasRewrittenNumber, parse: parseJsonWithDigits };

/**
 * Decodes an envelope. Keys match without regard to case, the last one wins; null counts as zero (an empty string in a list of strings);
 * integers beyond 2^53 become bigints, everywhere. Bytes that are not UTF-8 become U+FFFD.
 * @throws PlatformError `ENVELOPE_INVALID` when the value is not a JSON object (`null` is none), or
 *   when a key has a value of the wrong type; then `details.field` names the key
 */
export function decodeEnvelope(value: Buffer): EventEnvelope {
  return parseEnvelope(parseJson(value.toString('utf8'), bigints));
}

/**
 * Decodes an envelope to pass it on: as `decodeEnvelope`, but a number that JavaScript would write
 * otherwise becomes a `JsonNumber`, at any depth of the payload, of additional fields and of unknown
 * keys. Writing the envelope again keeps every digit.
 * @throws PlatformError as `decodeEnvelope`
 */
export function decodeEnvelopeWithDigits(value: Buffer): EventEnvelope {
  return parseEnvelope(parseJson(value.toString('utf8'), withDigits));
}

function parseJson(text: string, numbers: NumberParser): unknown {
  try {
    return parseWithNano(text, numbers) ?? parseExactly(text, numbers);
  } catch (error) {
    throw new PlatformError('ENVELOPE_INVALID', 'the event is not JSON that Go reads', {
      cause: error,
    });
  }
}

/**
 * Parses an event whose only long number is its `timestampUnixNano`, which most events are. Exact
 * parsing asks for the source text of each value, which costs ten times as much as plain parsing.
 * So this reads the nanoseconds from the text and puts them into the plainly parsed object. Returns
 * undefined when the event is not that simple.
 */
function parseWithNano(text: string, numbers: NumberParser): unknown {
  const start = text.indexOf(nanoMember);
  if (start === -1 || !isTopLevel(text, start)) return undefined;
  digits.lastIndex = start + nanoMember.length;
  const nano = digits.exec(text)?.[0];
  if (nano === undefined || /[.eE]/.test(text.charAt(digits.lastIndex))) return undefined;
  const end = digits.lastIndex;
  if (numbers.applies(text.slice(0, start)) || numbers.applies(text.slice(end))) return undefined;
  const record = JSON.parse(text) as { timestampUnixNano?: unknown };
  // With two such keys JSON.parse kept the last one, and the code above may have read the first.
  if (record.timestampUnixNano !== Number(nano)) return undefined;
  record.timestampUnixNano = BigInt(nano);
  return record;
}

/** True if the member at `start` belongs to the outermost object. */
function isTopLevel(text: string, start: number): boolean {
  const inner = text.indexOf('{', 1);
  return (
    text.startsWith('{') && (inner === -1 || inner > start) && /[{,]/.test(text.charAt(start - 1))
  );
}

function parseExactly(text: string, { applies, parse }: NumberParser): unknown {
  return applies(text) ? requireFinite(parse(text)) : JSON.parse(text);
}

/**
 * Throws when a number is too large for a double: Go drops such a record, and it could not be
 * published again.
 */
function requireFinite(value: unknown): unknown {
  if (hasInfiniteNumber(value)) throw new RangeError('a number is too large');
  return value;
}

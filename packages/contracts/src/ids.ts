import { PlatformError } from './errors/errors.js';

const uuidPattern = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;
const maxMs = 2 ** 48 - 1;
const maxSequence = 2 ** 18 - 1;
/** 2 bytes that may start the counter, and 7 at the end of the id. */
const randomBytesPerId = 9;
const idsPerDraw = 256;
const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => hex(byte, 2));

/**
 * Creates a source of UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, an 18 bit counter, 56 random
 * bits. The ids of one source strictly increase, also within a millisecond and when the clock is set
 * back.
 * @param now returns Unix milliseconds
 */
export function createIdSource(now: () => number = Date.now): () => string {
  // Random bytes are drawn for many ids at once, because one draw costs more than building an id.
  const random = new Uint8Array(randomBytesPerId * idsPerDraw);
  let used = random.length;
  let lastMs = 0;
  let sequence = 0;
  let time = timeOf(lastMs);

  /** Returns the next unused random byte in hexadecimal. */
  const randomHex = (): string => hexOfByte[random[used++] ?? 0] ?? '';

  const tick = (): void => {
    const ms = Math.floor(now());
    if (ms > lastMs) {
      lastMs = ms;
      // The counter starts at random below 2^16: hard to guess, with 196,608 ids left for this ms.
      sequence = ((random[used] ?? 0) << 8) | (random[used + 1] ?? 0);
    } else if (sequence < maxSequence) {
      sequence += 1;
      return;
    } else {
      lastMs += 1;
      sequence = 0;
    }
    time = timeOf(lastMs);
  };

  return () => {
    if (used === random.length) {
      crypto.getRandomValues(random);
      used = 0;
    }
    tick();
    used += 2;
    const high = hexOfByte[0x70 | (sequence >> 14)];
    const middle = hexOfByte[(sequence >> 6) & 0xff];
    const low = hexOfByte[0x80 | (sequence & 0x3f)];
    return `${time}-${high}${middle}-${low}${randomHex()}-${randomHex()}${randomHex()}${randomHex()}${randomHex()}${randomHex()}${randomHex()}`;
  };
}

/** Returns a new UUIDv7 with hyphens, in lower case. Ids strictly increase within this process. */
export const newId: () => string = /* @__PURE__ */ createIdSource();

/** Converts an id to lower case without hyphens, the form in the event envelope. */
export function toCompactId(id: string): string {
  const hasHyphens = id.length === 36 && id[8] === '-' && id[13] === '-' && id[18] === '-';
  const digits =
    hasHyphens && id[23] === '-'
      ? id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24)
      : id.replaceAll('-', '');
  return digits.toLowerCase();
}

/**
 * Parses a UUID, with or without hyphens, to lower case with hyphens. Returns `undefined` if the text
 * is not a UUID.
 */
export function parseId(text: string): string | undefined {
  if (!uuidPattern.test(text)) return undefined;
  const digits = toCompactId(text);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}

/**
 * Returns the lowest UUIDv7 of a moment: ids made before it are lower, ids made at or after it are
 * not.
 * @throws PlatformError `ID_INVALID` before 1970 and beyond 48 bits of milliseconds (year 10889)
 */
export function idLowerBound(moment: Date): string {
  const ms = moment.getTime();
  if (!(ms >= 0 && ms <= maxMs))
    throw new PlatformError('ID_INVALID', `no id can be made for the moment ${moment}`);
  return `${timeOf(ms)}-7000-8000-000000000000`;
}

/**
 * Returns the moment at which a UUIDv7 was made, by the clock of its maker.
 * @throws PlatformError `ID_INVALID` if it is not a UUIDv7
 */
export function idTime(id: string): Date {
  const uuid = parseId(id);
  if (uuid?.[14] !== '7') throw new PlatformError('ID_INVALID', `${id} is not a UUIDv7`);
  return new Date(Number.parseInt(toCompactId(uuid).slice(0, 12), 16));
}

/** Returns the first 48 bits of an id, with their hyphen. */
function timeOf(ms: number): string {
  const digits = hex(ms, 12);
  return `${digits.slice(0, 8)}-${digits.slice(8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

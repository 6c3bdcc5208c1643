import { PlatformError } from './errors.js';

const uuidPattern = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const maxSequence = 2 ** 18 - 1;
const randomBytesPerId = 7;
const idsPerDraw = 256;

/**
 * A source of UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, an 18 bit counter, 56 random bits.
 * Ids of one source strictly increase, also within a millisecond and when the clock steps back.
 */
export function createIdSource(now: () => number = Date.now): () => string {
  // Random bytes are drawn for many ids at once: one draw costs more than building one id.
  const random = Buffer.alloc(randomBytesPerId * idsPerDraw);
  let used = random.length;
  let lastMs = -1;
  let sequence = 0;
  return () => {
    if (used === random.length) {
      crypto.getRandomValues(random);
      used = 0;
    }
    const ms = now();
    if (ms > lastMs) {
      lastMs = ms;
      // A random start in the lower half leaves 131,072 ids for the rest of this millisecond.
      sequence = random.readUInt16BE(used);
    } else if (sequence < maxSequence) {
      sequence += 1;
    } else {
      lastMs += 1;
      sequence = 0;
    }
    const tail = random.toString('hex', used, used + randomBytesPerId);
    used += randomBytesPerId;
    const time = lastMs.toString(16).padStart(12, '0');
    const high = (0x7000 | (sequence >> 6)).toString(16);
    const low = (0x80 | (sequence & 0x3f)).toString(16);
    return `${time.slice(0, 8)}-${time.slice(8)}-${high}-${low}${tail.slice(0, 2)}-${tail.slice(2)}`;
  };
}

/** A new UUIDv7 with hyphens, lower case, increasing within this process. */
export const newId: () => string = createIdSource();

/** The id without hyphens, as the event envelope wants it. */
export function toCompactId(id: string): string {
  return id.replaceAll('-', '').toLowerCase();
}

/** Any UUID with or without hyphens, as lower case with hyphens; `undefined` when it is none. */
export function parseId(text: string): string | undefined {
  if (!uuidPattern.test(text)) return undefined;
  const hex = toCompactId(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The lowest UUIDv7 of a moment: the bound between ids made before it and after it. */
export function idLowerBound(moment: Date): string {
  const ms = moment.getTime();
  if (!(ms >= 0 && ms < 2 ** 48)) throw new PlatformError('ID_INVALID', `no id for ${moment}`);
  const time = ms.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

/** The moment a UUIDv7 was made, by the clock of its maker. */
export function idTime(id: string): Date {
  return new Date(Number.parseInt(toCompactId(id).slice(0, 12), 16));
}

import { randomFillSync } from 'node:crypto';

const compactUuid4 = /^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/;

/** `details.reason` for an invalid id. */
export const compactUuid4Rule = 'must be a UUID v4 without hyphens, in lower case';

const idBytes = 16;

/** Random bytes for the next ids. One call per id would take longer than all the rest. */
const pool: Buffer = Buffer.allocUnsafeSlow(256 * idBytes);
let used: number = pool.length;

/** Returns a new UUID v4 without hyphens, in lower case, as Go services write ids. */
export function newEventId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += idBytes;
  pool[start + 6] = ((pool[start + 6] ?? 0) & 0x0f) | 0x40; // version 4
  pool[start + 8] = ((pool[start + 8] ?? 0) & 0x3f) | 0x80; // variant of RFC 9562
  return pool.toString('hex', start, used);
}

/** True if the value is a UUID v4 without hyphens, in lower case. */
export function isCompactUuid4(value: unknown): value is string {
  return typeof value === 'string' && compactUuid4.test(value);
}

import { PlatformError } from '@posthaste/contracts';

/** A place in several shards: an offset for each, such as `1:1042,2:7`, in base64url. */
export function toEventCursor(positions: ReadonlyMap<number, bigint>): string {
  const text = [...positions].map(([shard, offset]) => `${shard}:${offset}`).join(',');
  return Buffer.from(text).toString('base64url');
}

const cursorPattern = /^\d{1,10}:\d{1,19}(?:,\d{1,10}:\d{1,19})*$/;
const maxOffset = 2n ** 62n;

/** @throws PlatformError `REQUEST_INVALID` */
export function parseEventCursor(cursor: string): ReadonlyMap<number, bigint> {
  const text = Buffer.from(cursor, 'base64url').toString();
  const positions = new Map<number, bigint>();
  if (cursorPattern.test(text)) {
    for (const pair of text.split(',')) {
      const [shard = '', offset = ''] = pair.split(':');
      const place = BigInt(offset);
      if (place < maxOffset) positions.set(Number(shard), place);
    }
  }
  if (positions.size > 0) return positions;
  throw new PlatformError('REQUEST_INVALID', 'the cursor is not one that a page gave');
}

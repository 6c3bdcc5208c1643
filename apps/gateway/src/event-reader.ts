import type { EventPage, EventQuery, PostgresLog } from '@posthaste/eventstream';

/** What reading events needs of the log. */
export type ReadableLog = Pick<PostgresLog, 'listEvents' | 'watch'>;

/** Records asked for at first, when nothing is known of their size. */
const firstLimit = 20;
const maxLimit = 500;

/**
 * Chooses how many records to ask for, so that a page has about as many bytes as it may: records
 * may be of any size up to a megabyte, and pages are held in memory.
 */
export class PageSize {
  readonly #maxBytes: number;
  #limit = firstLimit;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Learns from a page that was read. */
  learn(page: EventPage): void {
    const { length } = page.records;
    if (length === 0) return;
    const fitting = Math.floor((this.#maxBytes * length) / Math.max(1, bytesOf(page)));
    // At most doubled: what comes next may be larger than what came before.
    this.#limit = Math.max(1, Math.min(fitting, this.#limit * 2, maxLimit));
  }
}

/** Where a page of its own ends, in bytes of values. */
const maxPageBytes = 4 * 1_048_576;

/**
 * A page of up to `limit` records, which ends earlier when they are large. `isLast` and `next` are
 * those of the last part that was read.
 */
export async function readPage(
  log: ReadableLog,
  query: EventQuery,
  limit: number,
): Promise<Pick<EventPage, 'records' | 'next' | 'isLast'>> {
  const size = new PageSize(maxPageBytes);
  const records: EventPage['records'][number][] = [];
  let bytes = 0;
  let { cursor } = query;
  for (;;) {
    const take = Math.min(limit - records.length, size.limit);
    const page = await log.listEvents({ ...query, cursor, limit: take });
    size.learn(page);
    records.push(...page.records);
    bytes += bytesOf(page);
    cursor = page.next;
    const isFull = records.length >= limit || bytes >= maxPageBytes;
    // Fewer than asked for: it looked at as much as one page does.
    if (isFull || page.isLast || page.records.length < take) {
      return { records, next: page.next, isLast: page.isLast };
    }
  }
}

function bytesOf({ records }: EventPage): number {
  return records.reduce(
    (sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0),
    0,
  );
}

import { PlatformError, parseId, toCompactId } from '@posthaste/contracts';

/** Request for a part of a list. */
export interface PageRequest {
  /** Items at most, 1 to 500. Default 50. */
  readonly limit?: number | undefined;
  /** `next` of the page before; absent: the first page. */
  readonly cursor?: string | undefined;
}

/**
 * Part of a list. It may have few items, or none, and still be followed by others: a page reads a
 * limited number of rows, whether they match or not.
 */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Cursor of the next page; absent on the last one. Opaque. */
  readonly next: string | undefined;
}

const defaultLimit = 50;
const maxPageLimit = 500;

/** Returns the number of items of a page, `max` at most. @throws PlatformError `REQUEST_INVALID` */
export function pageLimit(page: PageRequest, max: number = maxPageLimit): number {
  const limit = page.limit ?? Math.min(defaultLimit, max);
  if (Number.isInteger(limit) && limit >= 1 && limit <= max) return limit;
  throw new PlatformError(
    'REQUEST_INVALID',
    `limit is ${limit}; it must be a whole number from 1 to ${max}`,
  );
}

/** Rows read for a page, and how its items are made. */
interface PageRows<Row, Item> {
  /** Limit of the page. One row more was asked for, which shows that another page follows. */
  readonly limit: number;
  readonly toItem: (row: Row) => Item;
  /** Returns the cursor after an item. */
  readonly cursorAfter: (item: Item) => string;
}

/** Returns the page of up to `limit` + 1 rows. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  { limit, toItem, cursorAfter }: PageRows<Row, Item>,
): Page<Item> {
  const items = rows.slice(0, limit).map(toItem);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, next: last && cursorAfter(last) };
}

/** Returns the cursor after an id, in a list that is ordered by id. */
export function toIdCursor(id: string): string {
  return Buffer.from(toCompactId(id), 'hex').toString('base64url');
}

/** Returns the id of a cursor. @throws PlatformError `REQUEST_INVALID` */
export function parseIdCursor(cursor: string): string {
  const id = parseId(Buffer.from(cursor, 'base64url').toString('hex'));
  if (id !== undefined) return id;
  throw cursorInvalid();
}

/** Returns the cursor after a pair of names, in a list that is ordered by both. */
export function toPairCursor(first: string, second: string): string {
  return Buffer.from(JSON.stringify([first, second])).toString('base64url');
}

/** Returns the pair of a cursor. @throws PlatformError `REQUEST_INVALID` */
export function parsePairCursor(cursor: string): [string, string] {
  try {
    const pair: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (isPair(pair)) return pair;
  } catch {
    // Not JSON: reported like any other text that is not a cursor.
  }
  throw cursorInvalid();
}

function isPair(value: unknown): value is [string, string] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((name) => typeof name === 'string' && !name.includes('\0'))
  );
}

function cursorInvalid(): PlatformError {
  return new PlatformError(
    'REQUEST_INVALID',
    'the cursor is not valid; use the `next` of a page as it is',
  );
}

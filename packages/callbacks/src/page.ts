import { PlatformError, parseId, toCompactId } from '@posthaste/contracts';

/** Which part of a list is asked for. */
export interface PageRequest {
  /** Items at most, 1 to 500. Default 50. */
  readonly limit?: number | undefined;
  /** `next` of the page before; absent: from the start. */
  readonly cursor?: string | undefined;
}

/**
 * A part of a list. It may have few items, or none, and still be followed by others: a page looks
 * at a bounded number of rows, whether they match or not.
 */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page starts; absent on the last one. Opaque. */
  readonly next: string | undefined;
}

const defaultLimit = 50;
const maxPageLimit = 500;

/** @throws PlatformError `REQUEST_INVALID` */
export function pageLimit(page: PageRequest, max: number = maxPageLimit): number {
  const limit = page.limit ?? Math.min(defaultLimit, max);
  if (Number.isInteger(limit) && limit >= 1 && limit <= max) return limit;
  throw new PlatformError('REQUEST_INVALID', `limit must be 1 to ${max}`);
}

/** The place after an id, in a list that is ordered by id. */
export function toIdCursor(id: string): string {
  return Buffer.from(toCompactId(id), 'hex').toString('base64url');
}

/** @throws PlatformError `REQUEST_INVALID` */
export function parseIdCursor(cursor: string): string {
  const id = parseId(Buffer.from(cursor, 'base64url').toString('hex'));
  if (id !== undefined) return id;
  throw cursorInvalid();
}

/** The place after a pair of names, in a list that is ordered by both. */
export function toPairCursor(first: string, second: string): string {
  return Buffer.from(JSON.stringify([first, second])).toString('base64url');
}

/** @throws PlatformError `REQUEST_INVALID` */
export function parsePairCursor(cursor: string): [string, string] {
  try {
    const pair: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (isPair(pair)) return pair;
  } catch {
    // Not JSON: as wrong as any other text.
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
  return new PlatformError('REQUEST_INVALID', 'the cursor is not one that a page gave');
}

import type { ApiClient } from './api-client.js';

/** Page of a list, as the gateway answers. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  /** Cursor of what follows; `null` at the end. */
  readonly next: string | null;
  /**
   * True at the end of a list whose `next` is never `null`: events may be added after its last page.
   */
  readonly isLast?: boolean;
}

/** Request for items of a list. */
export interface ListRequest {
  /** Path of the list: `/v1/callbacks`. */
  readonly path: string;
  /** Filter, and the cursor to start at. Parameters that are `undefined` are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Most items of a page. Default: as many as the gateway gives by itself. */
  readonly limit?: number;
}

/** Most calls of `listItems`: a filter that hardly anything matches does not make its user wait. */
const maxCalls = 50;

/** Returns one page of a list. @throws PlatformError what the gateway refuses */
export function readPage<Item, Page extends ListPage<Item> = ListPage<Item>>(
  api: Pick<ApiClient, 'call'>,
  { path, query = {}, limit }: ListRequest,
): Promise<Page> {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...query, limit })) {
    if (value !== undefined) search.set(name, String(value));
  }
  return api.call('GET', search.size > 0 ? `${path}?${search}` : path);
}

/** Yields all items of a list, page after page. @throws PlatformError what the gateway refuses */
export async function* iterateItems<Item>(
  api: Pick<ApiClient, 'call'>,
  request: ListRequest,
): AsyncGenerator<Item, void> {
  let page = await readPage<Item>(api, request);
  yield* page.items;
  while (page.next !== null && !page.isLast) {
    page = await readPage<Item>(api, withCursor(request, page.next));
    yield* page.items;
  }
}

/** Returns all items of a list. @throws PlatformError what the gateway refuses */
export async function listAllItems<Item>(
  api: Pick<ApiClient, 'call'>,
  request: ListRequest,
): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of iterateItems<Item>(api, request)) items.push(item);
  return items;
}

/**
 * Returns items up to the limit, read from as many pages as needed. The gateway reads a bounded
 * number of rows for a page, so a page may have few items or none and still be followed by others.
 * Here, `next` is `null` unless a further item was found, or the search for it took too long.
 * @throws PlatformError what the gateway refuses
 */
export async function listItems<Item>(
  api: Pick<ApiClient, 'call'>,
  { limit, ...request }: ListRequest & { readonly limit: number },
): Promise<ListPage<Item>> {
  let calls = 1;
  let page = await readPage<Item>(api, { ...request, limit });
  const items = [...page.items];
  while (items.length < limit && page.next !== null && calls++ < maxCalls) {
    const rest = { ...request, limit: limit - items.length };
    page = await readPage<Item>(api, withCursor(rest, page.next));
    items.push(...page.items);
  }
  const { next } = page;
  // Searches for a further item. A caller that continues at `next` receives its page again.
  while (page.next !== null && calls++ < maxCalls) {
    page = await readPage<Item>(api, withCursor({ ...request, limit: 1 }, page.next));
    if (page.items.length > 0) return { items, next };
  }
  return { items, next: page.next === null ? null : next };
}

function withCursor(request: ListRequest, cursor: string): ListRequest {
  return { ...request, query: { ...request.query, cursor } };
}

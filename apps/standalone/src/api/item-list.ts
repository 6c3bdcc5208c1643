import type { ApiClient } from './api-client.js';

/** A part of a list, as the gateway answers. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  /** The cursor of what follows; `null` at the end. */
  readonly next: string | null;
}

export interface ListRequest {
  /** `/v1/callbacks`. */
  readonly path: string;
  /** Filter and cursor. */
  readonly query: Readonly<Record<string, string>>;
  /** Items at most. */
  readonly limit: number;
}

/** A filter that hardly anything fits does not keep its user waiting for longer. */
const maxCalls = 50;

/**
 * Items up to a limit. The gateway looks at a bounded number of rows for a page, which may have few
 * items, or none, and yet be followed by others: here there is something behind `next`, unless the
 * search for it took too long.
 * @throws PlatformError what the gateway refuses
 */
export async function listItems<Item>(
  api: Pick<ApiClient, 'call'>,
  { path, query, limit }: ListRequest,
): Promise<ListPage<Item>> {
  const items: Item[] = [];
  let calls = 0;
  const read = (cursor: string | undefined, count: number): Promise<ListPage<Item>> => {
    calls += 1;
    const place = cursor === undefined ? {} : { cursor };
    const search = new URLSearchParams({ ...query, limit: String(count), ...place });
    return api.call('GET', `${path}?${search}`);
  };
  let page = await read(undefined, limit);
  items.push(...page.items);
  while (items.length < limit && page.next !== null && calls < maxCalls) {
    page = await read(page.next, limit - items.length);
    items.push(...page.items);
  }
  const { next } = page;
  // What comes next, if anything: the page after this one is given again to whoever asks for it.
  while (page.next !== null && calls < maxCalls) {
    page = await read(page.next, 1);
    if (page.items.length > 0) return { items, next };
  }
  return { items, next: page.next === null ? null : next };
}

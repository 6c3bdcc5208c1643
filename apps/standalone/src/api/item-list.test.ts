import { expect, it } from 'vitest';
import type { ApiClient } from './api-client.js';
import { listAllItems, listItems } from './item-list.js';

/** Gateway whose pages look at `scanned` numbers each, of which those in `matches` fit the filter. */
function gateway(count: number, scanned: number, matches: readonly number[]) {
  const requests: string[] = [];
  const call = async (_method: string, path: string): Promise<unknown> => {
    requests.push(path);
    const query = new URL(path, 'http://gateway').searchParams;
    const from = Number(query.get('cursor') ?? 0);
    const items: number[] = [];
    let at = from;
    while (at < count && at < from + scanned && items.length < Number(query.get('limit'))) {
      if (matches.includes(at)) items.push(at);
      at += 1;
    }
    return { items, next: at < count ? String(at) : null };
  };
  return { requests, call: call as ApiClient['call'] };
}

const request = { path: '/v1/callbacks', query: { host: 'example.com' }, limit: 2 };

it('reads further pages when a page has few items, and returns the cursor of the rest', async () => {
  const api = gateway(100, 10, [15, 35, 77]);
  expect(await listItems(api, request)).toEqual({ items: [15, 35], next: '36' });
  const rest = { ...request, query: { cursor: '36' } };
  expect(await listItems(api, rest)).toEqual({ items: [77], next: null });
});

it('returns no cursor when nothing further fits', async () => {
  expect(await listItems(gateway(100, 10, [15, 35]), request)).toEqual({
    items: [15, 35],
    next: null,
  });
  expect(await listItems(gateway(100, 10, []), request)).toEqual({ items: [], next: null });
  expect(await listItems(gateway(0, 10, []), request)).toEqual({ items: [], next: null });
});

it('ends a search that takes too many calls', async () => {
  const api = gateway(10_000, 10, [1]);
  expect(await listItems(api, request)).toEqual({ items: [1], next: '500' });
  expect(api.requests).toHaveLength(50);
  expect(api.requests[0]).toBe('/v1/callbacks?host=example.com&limit=2');
});

it('lists all items, page after page', async () => {
  const api = gateway(100, 10, [15, 35, 77]);
  expect(await listAllItems(api, request)).toEqual([15, 35, 77]);
  expect(api.requests).toHaveLength(10);
});

it('ends at the last page of events, although it has a cursor', async () => {
  const pages = [
    { items: [1], next: 'a', isLast: false },
    { items: [2], next: 'b', isLast: true },
  ];
  const call = (async () => pages.shift()) as ApiClient['call'];
  expect(await listAllItems({ call }, { path: '/v1/events' })).toEqual([1, 2]);
});

import { expect, it } from 'vitest';
import type { ApiClient } from './api-client.js';
import { listItems } from './item-list.js';

/** A gateway whose pages look at `scanned` numbers each, of which those in `matches` fit. */
function gateway(count: number, scanned: number, matches: readonly number[]) {
  const asked: string[] = [];
  const call = async (_method: string, path: string): Promise<unknown> => {
    asked.push(path);
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
  return { asked, call: call as ApiClient['call'] };
}

const request = { path: '/v1/callbacks', query: { host: 'example.com' }, limit: 2 };

it('goes on where pages have few items, and says where the rest is', async () => {
  const api = gateway(100, 10, [15, 35, 77]);
  expect(await listItems(api, request)).toEqual({ items: [15, 35], next: '36' });
  const rest = { ...request, query: { cursor: '36' } };
  expect(await listItems(api, rest)).toEqual({ items: [77], next: null });
});

it('says nothing of more when nothing more fits', async () => {
  expect(await listItems(gateway(100, 10, [15, 35]), request)).toEqual({
    items: [15, 35],
    next: null,
  });
  expect(await listItems(gateway(100, 10, []), request)).toEqual({ items: [], next: null });
  expect(await listItems(gateway(0, 10, []), request)).toEqual({ items: [], next: null });
});

it('does not look for ever', async () => {
  const api = gateway(10_000, 10, [1]);
  expect(await listItems(api, request)).toEqual({ items: [1], next: '500' });
  expect(api.asked).toHaveLength(50);
  expect(api.asked[0]).toBe('/v1/callbacks?host=example.com&limit=2');
});

import type { EndpointSettings } from '@posthaste/callbacks';
import { expect, it } from 'vitest';
import { shareOf, shareOfEndpoints } from './thread-share.js';

const sharesOf = (limit: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => shareOf(limit, { index, count }));

it('adds up to the limit', () => {
  expect(sharesOf(512, 4)).toEqual([128, 128, 128, 128]);
  expect(sharesOf(10, 4)).toEqual([3, 3, 2, 2]);
  expect(sharesOf(7, 1)).toEqual([7]);
});

it('is at least one', () => {
  expect(sharesOf(2, 4)).toEqual([1, 1, 1, 1]);
});

it('divides the limits of endpoints, and nothing else of them', async () => {
  const limited: EndpointSettings = {
    active: true,
    headers: { 'x-one': '1' },
    maxConcurrency: 5,
    ratePerSecond: 1,
  };
  const unlimited = { ...limited, maxConcurrency: undefined, ratePerSecond: undefined };
  const forgotten: string[] = [];
  const endpoints = shareOfEndpoints(
    {
      settings: async () => new Map(Object.entries({ limited, unlimited })),
      forget: (id) => forgotten.push(id),
    },
    { index: 1, count: 2 },
  );
  expect(Object.fromEntries(await endpoints.settings(['limited', 'unlimited']))).toEqual({
    limited: { ...limited, maxConcurrency: 2, ratePerSecond: 0.5 },
    unlimited,
  });
  endpoints.forget('limited');
  expect(forgotten).toEqual(['limited']);
});

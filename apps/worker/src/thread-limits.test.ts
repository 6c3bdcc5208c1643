import type { EndpointSettings } from '@posthaste/callbacks';
import { expect, it } from 'vitest';
import { divideEndpointLimits, divideLimit } from './thread-limits.js';

const partsOf = (limit: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => divideLimit(limit, { index, count }));

it('divides a limit into parts that add up to it', () => {
  expect(partsOf(512, 4)).toEqual([128, 128, 128, 128]);
  expect(partsOf(10, 4)).toEqual([3, 3, 2, 2]);
  expect(partsOf(7, 1)).toEqual([7]);
});

it('gives every thread at least one', () => {
  expect(partsOf(2, 4)).toEqual([1, 1, 1, 1]);
});

it('divides the limits of endpoints, and leaves their other settings alone', async () => {
  const limited: EndpointSettings = {
    active: true,
    headers: { 'x-one': '1' },
    maxConcurrency: 5,
    ratePerSecond: 1,
  };
  const unlimited = { ...limited, maxConcurrency: undefined, ratePerSecond: undefined };
  const forgotten: string[] = [];
  const endpoints = divideEndpointLimits(
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

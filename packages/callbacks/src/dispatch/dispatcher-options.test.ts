import { expect, it } from 'vitest';
import { type DispatcherOptions, resolveDispatcherOptions } from './dispatcher-options.js';

it('has a default for every option', () => {
  expect(resolveDispatcherOptions()).toEqual({
    holder: expect.stringContaining(`:${process.pid}`),
    userAgent: 'Posthaste',
    maxResponseBytes: 16_384,
    leaseMs: 30_000,
    leaseMarginMs: 1_000,
    slots: {
      total: 512,
      perApplication: 384,
      origin: { max: 128, initial: 16, breakAfter: 20, minOpenMs: 1_000, maxOpenMs: 30_000 },
    },
    maxPerLease: 100,
    minRetryDelayMs: 1_000,
    maxUnknowns: 10,
    pollMs: 500,
    recordWindowMs: 20,
    orderedRecordWindowMs: 4,
    maxBatch: 256,
    maxLargeBodyBytes: 33_554_432,
  });
});

it('keeps what is given, also next to defaults', () => {
  const given = {
    holder: 'worker-1',
    userAgent: 'Example/1.0',
    maxResponseBytes: 0,
    leaseMs: 5_000,
    leaseMarginMs: 0,
    slots: {
      total: 8,
      perApplication: 4,
      origin: { max: 3, initial: 2, breakAfter: 1, minOpenMs: 1, maxOpenMs: 1 },
    },
    maxPerLease: 1,
    minRetryDelayMs: 0,
    maxUnknowns: 1,
    pollMs: 10,
    recordWindowMs: 0,
    orderedRecordWindowMs: 0,
    maxBatch: 1,
    maxLargeBodyBytes: 1,
  };
  expect(resolveDispatcherOptions(given)).toEqual(given);
  expect(resolveDispatcherOptions({ pollMs: undefined }).pollMs).toBe(500);
});

it('derives the shares of applications and origins from the total', () => {
  const { slots } = resolveDispatcherOptions({ slots: { total: 10, origin: { breakAfter: 5 } } });
  expect(slots).toMatchObject({ perApplication: 8, origin: { max: 3, initial: 3, breakAfter: 5 } });
});

it.each<[string, DispatcherOptions]>([
  ['holder', { holder: '' }],
  ['holder', { holder: 'a\u0000b' }],
  ['userAgent', { userAgent: 'a\r\nx: 1' }],
  ['maxResponseBytes', { maxResponseBytes: -1 }],
  ['maxResponseBytes', { maxResponseBytes: 1.5 }],
  ['leaseMs', { leaseMs: 0 }],
  ['leaseMs', { leaseMs: Number.NaN }],
  ['leaseMarginMs', { leaseMarginMs: -1 }],
  ['leaseMarginMs', { leaseMs: 2_000, leaseMarginMs: 1_000 }],
  ['slots.total', { slots: { total: 0 } }],
  ['slots.perApplication', { slots: { perApplication: 0 } }],
  ['slots.origin.max', { slots: { origin: { max: 0 } } }],
  ['slots.origin.initial', { slots: { origin: { max: 4, initial: 5 } } }],
  ['slots.origin.breakAfter', { slots: { origin: { breakAfter: 0 } } }],
  ['slots.origin.minOpenMs', { slots: { origin: { minOpenMs: 0 } } }],
  ['slots.origin.maxOpenMs', { slots: { origin: { minOpenMs: 2, maxOpenMs: 1 } } }],
  ['maxPerLease', { maxPerLease: 0 }],
  ['minRetryDelayMs', { minRetryDelayMs: -1 }],
  ['maxUnknowns', { maxUnknowns: 0 }],
  ['pollMs', { pollMs: 2 ** 31 }],
  ['recordWindowMs', { recordWindowMs: -1 }],
  ['orderedRecordWindowMs', { orderedRecordWindowMs: Number.POSITIVE_INFINITY }],
  ['maxBatch', { maxBatch: 0 }],
  ['maxLargeBodyBytes', { maxLargeBodyBytes: 0 }],
])('refuses %s out of its range: %j', (name, options) => {
  expect(() => resolveDispatcherOptions(options)).toThrow(
    expect.objectContaining({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(`option ${name} is `),
    }),
  );
});

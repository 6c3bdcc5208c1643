import { expect, it } from 'vitest';
import { PayloadSchemas } from './payload-schemas.js';

const placed = {
  type: 'object',
  properties: {
    cents: { type: 'integer', maximum: Number.MAX_SAFE_INTEGER },
    nanos: { type: 'integer' },
    at: { type: 'string' },
  },
  required: ['cents'],
};
const schemas = new PayloadSchemas({ orders: { placed } });
const check = (payload: unknown) => () => schemas.check('orders', 'placed', payload);

it('treats 64-bit integers as integers, and a date as its text', () => {
  expect(check({ cents: 3 })).not.toThrow();
  expect(check({ cents: 3n, nanos: 1_767_323_045_000_000_001n, at: new Date(0) })).not.toThrow();
});

it.each([
  [undefined, ''],
  [{ cents: '3' }, '/cents'],
  [{ cents: 2n ** 60n }, '/cents'],
  [{ cents: 1, nanos: 1.5 }, '/nanos'],
  [{ cents: undefined }, ''],
])('refuses %o, and says where it is wrong', (payload, path) => {
  expect(check(payload)).toThrow(
    expect.objectContaining({
      code: 'EVENT_INVALID',
      details: { field: 'payload', errors: [expect.objectContaining({ path })] },
    }),
  );
});

it.each<[schema: object, fits: unknown, differs: unknown]>([
  [{ const: 2 ** 53 }, 2n ** 53n, 2n ** 53n + 1n],
  [{ enum: [1, 2n ** 64n] }, 2n ** 64n, 2n ** 64n + 1n],
  [{ type: 'integer', maximum: 2 ** 53 }, 2n ** 53n, 2n ** 53n + 1n],
  [{ type: 'integer', exclusiveMinimum: 2n ** 63n }, 2n ** 63n + 1n, 2n ** 63n],
  [{ type: 'number', multipleOf: 3 }, 2n ** 64n - 1n, 2n ** 64n],
  [{ type: 'number', multipleOf: 0.1 }, 0.3, 0.35],
  [
    { type: 'array', uniqueItems: true },
    [2n ** 53n, 2n ** 53n + 1n, 'a'],
    [2n ** 64n, 'a', 2n ** 64n],
  ],
  [{ type: 'number', maximum: 5 }, 5, 2n ** 60n],
])('compares numbers exactly: %o', (schema, fits, differs) => {
  const exact = new PayloadSchemas({
    orders: { placed: { type: 'object', properties: { n: schema } } },
  });
  expect(() => exact.check('orders', 'placed', { n: fits })).not.toThrow();
  expect(() => exact.check('orders', 'placed', { n: differs })).toThrow(
    expect.objectContaining({ code: 'EVENT_INVALID' }),
  );
});

it('accepts payloads without a schema', () => {
  expect(() => schemas.check('orders', 'cancelled', { cents: '3' })).not.toThrow();
  expect(() => schemas.check('other', 'placed', undefined)).not.toThrow();
});

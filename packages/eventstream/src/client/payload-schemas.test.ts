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

it('accepts payloads without a schema', () => {
  expect(() => schemas.check('orders', 'cancelled', { cents: '3' })).not.toThrow();
  expect(() => schemas.check('other', 'placed', undefined)).not.toThrow();
});

import { expect, it } from 'vitest';
import { withApplication } from './field-faults.js';

it('adds the application of a thing, if it has one', () => {
  expect(withApplication('queue orders', 'shop')).toBe('queue orders of application shop');
  expect(withApplication('queue orders', '')).toBe('queue orders');
});

import { expect, it } from 'vitest';
import { withApplication } from './field-faults.js';

it('names the application of a thing, where there is one', () => {
  expect(withApplication('queue orders', 'shop')).toBe('queue orders of application shop');
  expect(withApplication('queue orders', '')).toBe('queue orders');
});

import { expect, it } from 'vitest';
import { withApplication } from './field-faults.js';

it('adds the application, if there is one', () => {
  const queue = "queue 'orders'";
  expect(withApplication(queue, 'shop')).toBe("queue 'orders' of application 'shop'");
  expect(withApplication(queue, '')).toBe(queue);
});

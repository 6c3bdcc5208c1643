import { expect, it } from 'vitest';
import { DatabaseClock } from './database-clock.js';

it('follows the database, carried on by the monotonic clock', () => {
  let monotonicMs = 1_000;
  const clock = new DatabaseClock(() => monotonicMs);
  clock.set(500_000, 1_000);
  monotonicMs += 250;
  expect(clock.now()).toBe(500_250);
});

it('follows a database whose clock is set, but not an answer that was slow', () => {
  let monotonicMs = 1_000;
  const clock = new DatabaseClock(() => monotonicMs);
  clock.set(500_000, 1_000);
  // Asked at 2,000, read at once, answered two seconds later.
  monotonicMs = 4_000;
  clock.set(501_000, 2_000);
  expect(clock.now()).toBe(503_000);
  clock.set(600_000, 3_990);
  expect(clock.now()).toBe(600_005);
});

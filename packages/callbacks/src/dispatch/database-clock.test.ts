import { expect, it } from 'vitest';
import { DatabaseClock } from './database-clock.js';

it('goes by the database, carried on by the steady clock', () => {
  let steadyMs = 1_000;
  const clock = new DatabaseClock(() => steadyMs);
  clock.set(500_000, 1_000);
  steadyMs += 250;
  expect(clock.now()).toBe(500_250);
});

it('follows a database that is set to another time, and no answer that was slow', () => {
  let steadyMs = 1_000;
  const clock = new DatabaseClock(() => steadyMs);
  clock.set(500_000, 1_000);
  // Asked at 2,000, read at once, answered two seconds later.
  steadyMs = 4_000;
  clock.set(501_000, 2_000);
  expect(clock.now()).toBe(503_000);
  clock.set(600_000, 3_990);
  expect(clock.now()).toBe(600_005);
});

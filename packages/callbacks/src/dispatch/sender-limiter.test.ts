import { expect, it } from 'vitest';
import { SenderLimiter } from './sender-limiter.js';

const limits = { max: 32, initial: 16, breakAfter: 3, minOpenMs: 1_000, maxOpenMs: 8_000 };

it('starts with a few attempts and allows one more with every answer, up to its limit', () => {
  const limiter = new SenderLimiter(limits);
  expect(limiter.capacity).toBe(16);
  for (let i = 0; i < 10; i++) limiter.report({ kind: 'answered' });
  expect(limiter.capacity).toBe(26);
  for (let i = 0; i < 100; i++) limiter.report({ kind: 'answered' });
  expect(limiter.capacity).toBe(32);
});

it('has no capacity when all of it is in flight', () => {
  const limiter = new SenderLimiter({ ...limits, initial: 2 });
  limiter.started();
  limiter.started();
  expect(limiter.capacity).toBe(0);
  expect(limiter.isIdle).toBe(false);
  limiter.ended();
  expect(limiter.capacity).toBe(1);
});

it('halves the limit after a time-out or an overload, down to four', () => {
  const limiter = new SenderLimiter(limits);
  limiter.report({ kind: 'slow' });
  expect(limiter.capacity).toBe(8);
  for (let i = 0; i < 5; i++) limiter.report({ kind: 'overloaded', retryAfterMs: undefined });
  expect(limiter.capacity).toBe(4);
  limiter.report({ kind: 'unreachable' });
  expect(limiter.capacity).toBe(4);
});

import { describe, expect, it } from 'vitest';
import { OriginLimiter } from './origin-limiter.js';

const limits = { max: 32, initial: 4, breakAfter: 3, minOpenMs: 1_000, maxOpenMs: 8_000 };
const unreachable = { kind: 'unreachable' } as const;
const answered = { kind: 'answered' } as const;

describe('origin limiter', () => {
  const failTimes = (limiter: OriginLimiter, times: number, nowMs: number): void => {
    for (let i = 0; i < times; i++) limiter.report(unreachable, nowMs, 1);
  };

  it('has no capacity when all of it is in flight', () => {
    const limiter = new OriginLimiter(limits);
    for (let i = 0; i < 32; i++) limiter.started();
    expect(limiter.capacity(0)).toBe(0);
    limiter.ended();
    expect(limiter.capacity(0)).toBe(1);
  });

  it('suspends the origin after connection failures in a row, and allows one probe after a while', () => {
    const limiter = new OriginLimiter(limits);
    failTimes(limiter, 2, 0);
    limiter.report(answered, 0, 0);
    failTimes(limiter, 2, 0);
    expect(limiter.capacity(0)).toBeGreaterThan(0);
    failTimes(limiter, 1, 0);
    expect(limiter.capacity(999)).toBe(0);
    expect(limiter.suspendedUntil(999)).toBe(1_000);
    expect(limiter.capacity(1_000)).toBe(1);
  });

  it('suspends it for longer each time, and starts again from one once a probe succeeds', () => {
    const limiter = new OriginLimiter(limits);
    failTimes(limiter, 3, 0);
    failTimes(limiter, 1, 1_000);
    expect(limiter.suspendedUntil(1_001)).toBe(3_000);
    failTimes(limiter, 1, 3_000);
    expect(limiter.suspendedUntil(3_001)).toBe(7_000);
    limiter.report(answered, 7_000, 0);
    expect(limiter.capacity(7_000)).toBe(2);
    expect(limiter.suspendedUntil(7_000)).toBeUndefined();
  });

  it('counts failures of attempts that were in flight when the breaker opened as the same outage', () => {
    const limiter = new OriginLimiter(limits);
    failTimes(limiter, 10, 0);
    expect(limiter.suspendedUntil(0)).toBe(1_000);
  });

  it('is neither slowed down nor suspended by what a receiver says, or does not say in time', () => {
    const limiter = new OriginLimiter(limits);
    for (let i = 0; i < 100; i++) {
      limiter.report({ kind: 'slow' }, 0, 0);
      limiter.report({ kind: 'overloaded', retryAfterMs: 5_000 }, 0, 0);
    }
    expect(limiter.capacity(0)).toBe(32);
    expect(limiter.suspendedUntil(0)).toBeUndefined();
  });

  it('may be forgotten when it is idle, a while after the last failure', () => {
    const limiter = new OriginLimiter(limits);
    expect(limiter.isStale(0)).toBe(true);
    limiter.started();
    expect(limiter.isStale(0)).toBe(false);
    limiter.report(unreachable, 100, 1);
    limiter.ended();
    expect(limiter.isStale(8_099)).toBe(false);
    expect(limiter.isStale(8_100)).toBe(true);
  });
});

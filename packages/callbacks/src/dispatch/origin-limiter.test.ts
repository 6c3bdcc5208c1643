import { describe, expect, it } from 'vitest';
import { OriginLimiter } from './origin-limiter.js';

const limits = { max: 32, initial: 4, breakAfter: 3, minOpenMs: 1_000, maxOpenMs: 8_000 };
const unreachable = { kind: 'unreachable' } as const;
const answered = { kind: 'answered' } as const;

describe('origin gate', () => {
  const failTimes = (gate: OriginLimiter, times: number, nowMs: number): void => {
    for (let i = 0; i < times; i++) gate.report(unreachable, nowMs, 1);
  };

  it('starts with a few and earns one more with every answer, up to its limit', () => {
    const gate = new OriginLimiter(limits);
    expect(gate.capacity(0)).toBe(4);
    for (let i = 0; i < 10; i++) gate.report(answered, 0, 0);
    expect(gate.capacity(0)).toBe(14);
    for (let i = 0; i < 100; i++) gate.report(answered, 0, 0);
    expect(gate.capacity(0)).toBe(32);
  });

  it('has no room when all of it is in flight', () => {
    const gate = new OriginLimiter(limits);
    for (let i = 0; i < 4; i++) gate.started();
    expect(gate.capacity(0)).toBe(0);
    gate.left();
    expect(gate.capacity(0)).toBe(1);
  });

  it('opens after connection failures in a row, and lets one probe out after a while', () => {
    const gate = new OriginLimiter(limits);
    failTimes(gate, 2, 0);
    gate.report(answered, 0, 0);
    failTimes(gate, 2, 0);
    expect(gate.capacity(0)).toBeGreaterThan(0);
    failTimes(gate, 1, 0);
    expect(gate.capacity(999)).toBe(0);
    expect(gate.closedUntil(999)).toBe(1_000);
    expect(gate.capacity(1_000)).toBe(1);
  });

  it('stays open longer each time, and climbs from the bottom once a probe succeeds', () => {
    const gate = new OriginLimiter(limits);
    failTimes(gate, 3, 0);
    failTimes(gate, 1, 1_000);
    expect(gate.closedUntil(1_001)).toBe(3_000);
    failTimes(gate, 1, 3_000);
    expect(gate.closedUntil(3_001)).toBe(7_000);
    gate.report(answered, 7_000, 0);
    expect(gate.capacity(7_000)).toBe(2);
    expect(gate.closedUntil(7_000)).toBeUndefined();
  });

  it('counts failures of attempts that were under way when it opened as the same outage', () => {
    const gate = new OriginLimiter(limits);
    failTimes(gate, 10, 0);
    expect(gate.closedUntil(0)).toBe(1_000);
  });

  it('halves what a slow or overloaded host may have, down to one', () => {
    const gate = new OriginLimiter(limits);
    gate.report({ kind: 'slow' }, 0, 0);
    expect(gate.capacity(0)).toBe(2);
    gate.report({ kind: 'overloaded', retryAfterMs: undefined }, 0, 0);
    gate.report({ kind: 'slow' }, 0, 0);
    gate.report({ kind: 'slow' }, 0, 0);
    expect(gate.capacity(0)).toBe(1);
  });

  it('is closed for as long as Retry-After says, a minute at most', () => {
    const gate = new OriginLimiter(limits);
    gate.report({ kind: 'overloaded', retryAfterMs: 5_000 }, 0, 0);
    expect(gate.capacity(4_999)).toBe(0);
    expect(gate.capacity(5_000)).toBe(2);
    gate.report({ kind: 'overloaded', retryAfterMs: 1e9 }, 5_000, 0);
    expect(gate.closedUntil(5_000)).toBe(65_000);
  });

  it('may be forgotten when it is idle, a while after the last failure', () => {
    const gate = new OriginLimiter(limits);
    expect(gate.isStale(0)).toBe(true);
    gate.started();
    expect(gate.isStale(0)).toBe(false);
    gate.report(unreachable, 100, 1);
    gate.left();
    expect(gate.isStale(8_099)).toBe(false);
    expect(gate.isStale(8_100)).toBe(true);
  });
});

import type { Clock } from '../src/index.js';

/** Clock that a test moves on. No timer runs before. */
export interface ManualClock extends Clock {
  /** Waits that were asked for, in ms. */
  readonly waits: number[];
  /** Moves the time on, and runs the timers that become due, in their order. */
  advance(ms: number): void;
  /** Moves the time on as a hidden page sees it: no timer runs. */
  skip(ms: number): void;
}

/** Creates a clock at 0 ms. */
export function createManualClock(): ManualClock {
  let now = 0;
  let next = 1;
  const timers = new Map<number, { readonly at: number; readonly work: () => void }>();
  const waits: number[] = [];
  const findDue = (end: number) =>
    [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
  return {
    waits,
    now: () => now,
    setTimeout(work, ms) {
      waits.push(ms);
      timers.set(next, { at: now + ms, work });
      next += 1;
      return next - 1;
    },
    clearTimeout: (timer) => void timers.delete(timer as number),
    advance(ms) {
      const end = now + ms;
      for (let due = findDue(end); due; due = findDue(end)) {
        timers.delete(due[0]);
        now = Math.max(now, due[1].at);
        due[1].work();
      }
      now = end;
    },
    skip(ms) {
      now += ms;
    },
  };
}

import { describe, expect, it } from 'vitest';
import { Watchdog } from './watchdog.js';

/** Clock whose time a test moves. */
function testClock() {
  let now = 0;
  const timers = new Map<number, { at: number; work: () => void }>();
  let next = 1;
  return {
    now: () => now,
    setTimeout: (work: () => void, ms: number) => {
      timers.set(next, { at: now + ms, work });
      next += 1;
      return next - 1;
    },
    clearTimeout: (timer: unknown) => void timers.delete(timer as number),
    advance(ms: number) {
      const end = now + ms;
      for (;;) {
        const due = [...timers]
          .filter(([, { at }]) => at <= end)
          .sort(([, a], [, b]) => a.at - b.at)[0];
        if (!due) break;
        timers.delete(due[0]);
        now = due[1].at;
        due[1].work();
      }
      now = end;
    },
    /** Moves the time as a page that is hidden sees it: no timer runs. */
    skip(ms: number) {
      now += ms;
    },
  };
}

function watch(connectionTimeoutMs = 300_000) {
  const clock = testClock();
  let silent = 0;
  const watchdog = new Watchdog(clock, 1_000, () => {
    silent += 1;
  });
  watchdog.start(connectionTimeoutMs);
  return { clock, watchdog, silent: () => silent };
}

describe('the watchdog', () => {
  it('waits for two and a half keep-alives of a minute before it knows their interval', () => {
    const { clock, silent } = watch();
    clock.advance(149_000);
    expect(silent()).toBe(0);
    clock.advance(2_000);
    expect(silent()).toBe(1);
  });

  it('follows the interval of the server, but is never shorter than 75 s', () => {
    const { clock, watchdog, silent } = watch();
    for (let i = 0; i < 4; i += 1) {
      clock.advance(10_000);
      watchdog.onFrame();
      watchdog.onKeepAlive();
    }
    clock.advance(74_000);
    watchdog.check();
    expect(silent()).toBe(0);
    clock.advance(1_500);
    expect(silent()).toBe(1);
  });

  it('counts any frame, and takes the limit of the server if that is shorter', () => {
    const { clock, watchdog, silent } = watch(30_000);
    for (let i = 0; i < 5; i += 1) {
      clock.advance(29_000);
      watchdog.onFrame();
    }
    expect(silent()).toBe(0);
    clock.advance(31_000);
    expect(silent()).toBe(1);
  });

  it('notices a silence at once when it is asked, though timers were slow', () => {
    const { clock, watchdog, silent } = watch();
    clock.skip(200_000);
    expect(silent()).toBe(0);
    watchdog.check();
    expect(silent()).toBe(1);
  });
});

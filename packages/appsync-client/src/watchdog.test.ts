import { describe, expect, it } from 'vitest';
import { createManualClock } from '../test/manual-clock.js';
import { Watchdog } from './watchdog.js';

function watch(connectionTimeoutMs = 300_000) {
  const clock = createManualClock();
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

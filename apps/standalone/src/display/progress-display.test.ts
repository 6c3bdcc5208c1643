import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatSeconds, ProgressDisplay } from './progress-display.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Returns the output of a display that is open for 2 s and shows one note. */
function show(terminal: { isTTY: boolean; columns?: number }): string[] {
  const written: string[] = [];
  const output = { ...terminal, write: (text: string) => written.push(text) };
  const display = new ProgressDisplay(
    output,
    (elapsedMs) => `${formatSeconds(elapsedMs)}  ${'so far '.repeat(20)}`,
  );
  vi.advanceTimersByTime(1_000);
  display.note('the receiver is down');
  vi.advanceTimersByTime(1_000);
  display.close();
  display.close();
  return written;
}

describe('the display of progress', () => {
  it('prints a line per second without a terminal', () => {
    const written = show({ isTTY: false });
    expect(written).toHaveLength(4);
    expect(written.every((text) => text.endsWith('\n') && !text.includes('\r'))).toBe(true);
    expect(written[1]).toMatch(/^ +\d\.\d s {2}\* the receiver is down\n$/);
  });

  it('updates one line on a terminal, which never wraps', () => {
    const written = show({ isTTY: true, columns: 40 });
    const lines = written.filter((text) => text.startsWith('\r\x1b[2K') && !text.endsWith('\n'));
    expect(lines.length).toBeGreaterThan(10);
    expect(Math.max(...lines.map((text) => text.length - '\r\x1b[2K'.length))).toBe(39);
    expect(written.at(-1)).toBe('\n');
    expect(written.filter((text) => text === '\n')).toHaveLength(1);
  });
});

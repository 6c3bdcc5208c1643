import { PlatformError } from '@posthaste/contracts';
import { type Logger, pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { untilMet } from './until-met.js';

const away = new PlatformError('DATABASE_UNAVAILABLE', 'it is away');
const pending = new PlatformError('MIGRATION_PENDING', 'run migrate');

/** Waits for a condition that fails with these errors, one after another; returns the log lines. */
async function wait(failures: unknown[], signal = new AbortController().signal): Promise<string[]> {
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const condition = async (): Promise<void> => {
    if (failures.length > 0) throw failures.shift();
  };
  await untilMet(condition, { signal, logger, retryMs: 1 });
  return lines;
}

it('tries again until the condition is met, and logs each reason once', async () => {
  expect(await wait([])).toEqual([]);
  expect(await wait([away, away, pending, pending])).toEqual([
    'waiting, and trying again: it is away',
    'waiting, and trying again: run migrate',
  ]);
});

it.each([
  ['a defect', new TypeError('not a function')],
  [
    'an error that waiting cannot change',
    new PlatformError('MIGRATION_MISMATCH', 'another release'),
  ],
])('does not wait when the condition fails with %s', async (_case, error) => {
  await expect(wait([error])).rejects.toBe(error);
});

it('ends when its signal is aborted, also while a try hangs', async () => {
  const stop = new AbortController();
  const hanging = untilMet(() => new Promise(() => undefined), {
    signal: stop.signal,
    logger: pino({ level: 'silent' }),
  });
  stop.abort();
  await expect(hanging).rejects.toBe(stop.signal.reason);
  await expect(wait([], stop.signal)).rejects.toBe(stop.signal.reason);
});

it('logs the same reason again after a while', async () => {
  const stop = new AbortController();
  const warn = vi.fn(() => {
    if (warn.mock.calls.length === 3) stop.abort();
  });
  let tries = 0;
  const condition = (): Promise<void> => {
    tries++;
    return Promise.reject(away);
  };
  const logger = { warn } as unknown as Logger;
  const waiting = untilMet(condition, { signal: stop.signal, logger, retryMs: 1, repeatMs: 50 });
  await expect(waiting).rejects.toThrow('aborted');
  expect(tries).toBeGreaterThan(3);
});

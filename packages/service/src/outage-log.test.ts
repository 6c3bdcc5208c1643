import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import type { Logger } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  createLogger,
  forwardFailures,
  logFailure,
  type OutageWatch,
  watchOutages,
} from './logger.js';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly code?: string;
  readonly suppressed?: number;
}

let lines: Line[];
/** Error that the probe rejects with; undefined while the database is usable. */
let failure: PlatformError | undefined;
let watch: OutageWatch | undefined;

const away = new PlatformError('DATABASE_UNAVAILABLE', 'connection refused');

function newLogger(): Logger {
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return createLogger({ level: 'info', service: 'test', destination });
}

function watched(): Logger {
  const logger = newLogger();
  watch = watchOutages(logger, {
    name: 'gateway',
    probe: async () => {
      if (failure) throw failure;
    },
  });
  return logger;
}

function texts(): string[] {
  return lines.map(({ msg }) => msg);
}

function failed(code: ErrorCode): { err: PlatformError } {
  return { err: new PlatformError(code, 'a statement failed') };
}

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  failure = undefined;
});
afterEach(() => {
  watch?.stop();
  vi.useRealTimers();
});

it('writes one line when an outage begins, one a minute, and one when it ends', async () => {
  const logger = watched();
  const fail = (): void => {
    logger.warn(failed('DATABASE_UNAVAILABLE'), 'claiming failed');
    logger.child({ traceId: '1' }).error(failed('DATABASE_TIMEOUT'), 'a batch item failed');
    logger.warn({ kind: 'DATABASE_UNAVAILABLE' }, 'connection refused');
  };
  failure = away;
  for (let second = 0; second < 125; second++) {
    fail();
    await vi.advanceTimersByTimeAsync(1_000);
  }
  failure = undefined;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(lines).toMatchObject([
    { level: 'warn', msg: 'the gateway is not ready: connection refused', code: away.code },
    { level: 'warn', msg: 'the gateway is not ready for 60 s now: connection refused' },
    { level: 'warn', msg: 'the gateway is not ready for 120 s now: connection refused' },
    { level: 'info', msg: expect.stringMatching(/^the gateway is ready: .* after 12\d s$/) },
  ]);
  expect(lines[1]?.suppressed).toBeGreaterThan(100);
  expect(JSON.stringify(lines)).not.toContain('stack');
});

it('writes the line of a failure when the database can be used', async () => {
  const logger = watched();
  logger.warn(failed('DATABASE_CONFLICT'), 'a periodic task failed');
  await vi.advanceTimersByTimeAsync(1_500);
  expect(lines).toEqual([]);
  await vi.advanceTimersByTimeAsync(500);
  expect(lines).toMatchObject([{ level: 'warn', msg: 'a periodic task failed', err: {} }]);
});

it('does not rely on one probe that succeeds while the sessions of a killed server end', async () => {
  const logger = watched();
  logger.warn(failed('DATABASE_UNAVAILABLE'), 'an idle connection was lost');
  await vi.advanceTimersByTimeAsync(500);
  failure = away;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(texts()).toEqual(['the gateway is not ready: connection refused']);
});

it('leaves other lines alone, also during an outage', async () => {
  const logger = watched();
  failure = away;
  logger.warn(failed('DATABASE_UNAVAILABLE'), 'claiming failed');
  await vi.advanceTimersByTimeAsync(0);
  logger.info('plain');
  logger.error({ err: new TypeError('x') }, 'a defect');
  logger.error(failed('DATABASE_ERROR'), 'a constraint');
  expect(texts().slice(1)).toEqual(['plain', 'a defect', 'a constraint']);
});

it('counts failures that follow from missing tables, and errors that another domain has wrapped', async () => {
  const logger = watched();
  failure = new PlatformError('MIGRATION_PENDING', 'run "posthaste migrate"');
  logger.warn(failed('DATABASE_ERROR'), 'subscriptions cannot be read');
  const cause = new PlatformError('DATABASE_ERROR', 'relation does not exist');
  const err = new PlatformError('STREAM_UNAVAILABLE', 'no log', { cause });
  logger.warn({ err }, 'the lag cannot be read');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(texts()).toEqual(['the gateway is not ready: run "posthaste migrate"']);
});

it('says at the start of a process that it is not ready', async () => {
  watched();
  failure = away;
  watch?.check();
  await vi.advanceTimersByTimeAsync(0);
  expect(texts()).toEqual(['the gateway is not ready: connection refused']);
});

it('ends an outage only when statements under way have failed', async () => {
  const logger = watched();
  failure = away;
  logger.warn(failed('DATABASE_UNAVAILABLE'), 'claiming failed');
  await vi.advanceTimersByTimeAsync(100);
  failure = undefined;
  logger.warn(failed('DATABASE_OUTCOME_UNKNOWN'), 'a result was not written');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(lines).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(texts().at(-1)).toBe('the gateway is ready: its database is usable after 2 s');
});

it('notices a database that accepts connections and does not answer', async () => {
  const logger = newLogger();
  watch = watchOutages(logger, { name: 'worker', probe: () => new Promise(() => undefined) });
  logger.warn(failed('DATABASE_TIMEOUT'), 'claiming failed');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(texts()).toEqual(['the worker is not ready: the database did not respond within 5000 ms']);
});

it('filters lines of other threads with the same filter', async () => {
  const main = watched();
  const thread = newLogger();
  forwardFailures(thread, (each) => logFailure(main, structuredClone(each)));
  failure = away;
  thread.warn(failed('DATABASE_UNAVAILABLE'), 'claiming failed');
  main.warn(failed('DATABASE_UNAVAILABLE'), 'a periodic task failed');
  thread.info('plain');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(texts()).toEqual(['plain', 'the gateway is not ready: connection refused']);
});

it('writes every line again when it was stopped', async () => {
  const logger = watched();
  failure = away;
  logger.warn(failed('DATABASE_UNAVAILABLE'), 'held');
  watch?.stop();
  logger.warn(failed('DATABASE_UNAVAILABLE'), 'later');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(texts()).toEqual(['held', 'later']);
});

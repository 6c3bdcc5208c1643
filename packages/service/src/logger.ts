import { PlatformError } from '@posthaste/contracts';
import { type DestinationStream, type Logger, pino } from 'pino';
import { type DatabaseFailure, OutageLog, type OutageOptions } from './outage-log.js';

/** Options of `createLogger`. */
export interface LoggerOptions {
  /** Least severe level that is written: `info`. */
  readonly level: string;
  /** Name of the app, written as `service` on each line. */
  readonly service: string;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** The filter of each logger that `createLogger` made. */
const outageLogs = new WeakMap<object, OutageLog>();

/** Levels of lines about failures. Others are never filtered. */
const filtered: readonly string[] = ['info', 'warn', 'error'];

/** Creates a logger that writes JSON lines, with ISO times and levels by name. */
export function createLogger({ level, service, destination }: LoggerOptions): Logger {
  const outages = new OutageLog();
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: {
      // biome-ignore lint/complexity/useMaxParams: pino's signature, with its `this`
      logMethod(this: Logger, args: Parameters<pino.LogFn>, method: pino.LogFn, number: number) {
        const name = this.levels.labels[number] ?? '';
        const write = (): void => method.apply(this, args);
        if (filtered.includes(name)) {
          const [fields, text] = args as readonly unknown[];
          const line = { level: name as DatabaseFailure['level'], fields, text: String(text) };
          if (outages.takes(line, write)) return;
        }
        write();
      },
    },
  };
  const logger = destination ? pino(options, destination) : pino(options);
  outageLogs.set(logger, outages);
  return logger;
}

/** Handle on the filter of a logger. */
export interface OutageWatch {
  /** Probes at once, so that a process says at its start that it is not ready. */
  check(): void;
  /** Ends the filter. To be called before the database is closed. */
  stop(): void;
}

/**
 * Filters the lines of a logger of `createLogger`, and of its children, that are about the database:
 * while `probe` rejects, there is one line when that begins, one a minute and one when it ends.
 */
export function watchOutages(logger: Logger, options: Omit<OutageOptions, 'logger'>): OutageWatch {
  const outages = outageLogs.get(logger);
  outages?.watch({ ...options, logger });
  return { check: () => outages?.check(), stop: () => outages?.stop() };
}

/** Passes lines about the database to `forward`, which gives them to `logFailure` in the main thread. */
export function forwardFailures(logger: Logger, forward: (failure: DatabaseFailure) => void): void {
  outageLogs.get(logger)?.forwardTo(forward);
}

/** Logs a line that `forwardFailures` has passed on. */
export function logFailure(logger: Logger, { level, code, reason, text }: DatabaseFailure): void {
  logger[level]({ err: new PlatformError(code, reason) }, text);
}

import type { ConsumeObserver } from '../consume/observer.js';
import type { PublishObserver } from '../publish/publish-observer.js';

export type StreamLogMode = 'off' | 'error' | 'warn' | 'info' | 'debug';

/** Where lines go. A pino logger is one. */
export interface StreamLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
  debug(details: object, message: string): void;
}

const levels = ['debug', 'info', 'warn', 'error'] as const;

const silent = (): void => undefined;

/** A logger that leaves out what is below `mode`. */
export function createStreamLog(
  mode: StreamLogMode,
  logger: StreamLogger = consoleLogger,
): StreamLogger {
  const least = mode === 'off' ? levels.length : levels.indexOf(mode);
  const write = (level: (typeof levels)[number]): StreamLogger['error'] =>
    levels.indexOf(level) < least ? silent : (details, message) => logger[level](details, message);
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}

const consoleLogger: StreamLogger = {
  error: (details, message) => console.error(message, details),
  warn: (details, message) => console.warn(message, details),
  info: (details, message) => console.info(message, details),
  debug: (details, message) => console.debug(message, details),
};

/** Logs what publishers tell of failures. */
export function logPublishing(log: StreamLogger): PublishObserver {
  return {
    writeFailed: (write) => log.warn(write, 'a batch could not be written, it is tried again'),
    eventFailed: (topic, code) => log.error({ topic, code }, 'an event was not published'),
  };
}

/** Logs what consumers tell, but not of each record. */
export function logConsuming(log: StreamLogger): Omit<ConsumeObserver, 'finished'> {
  return {
    attemptFailed: (consumer, { partition, offset }, attempt, err) =>
      log.warn({ ...consumer, partition, offset, attempt, err }, 'a callback failed'),
    partitionBlocked: (consumer, { partition, offset }, target, err) =>
      log.error(
        { ...consumer, partition, offset, target, err },
        'a partition stands still: its record can neither be handled nor be put away',
      ),
    partitionUnblocked: (consumer, { partition }) =>
      log.info({ ...consumer, partition }, 'the partition goes on'),
    commitFailed: (consumer, err) => log.warn({ ...consumer, err }, 'a commit failed'),
    interrupted: (consumer, err) => log.warn({ ...consumer, err }, 'the stream went away'),
  };
}

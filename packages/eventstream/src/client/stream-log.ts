import type { ConsumeObserver } from '../consume/observer.js';
import type { PublishObserver } from '../publish/publish-observer.js';

/** Least severe level that a client logs; `off`: none. */
export type StreamLogMode = 'off' | 'error' | 'warn' | 'info' | 'debug';

/** Logger of a client. A pino logger is one. */
export interface StreamLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
  debug(details: object, message: string): void;
}

const levels = ['debug', 'info', 'warn', 'error'] as const;

const silent = (): void => undefined;

/** Creates a logger that leaves out levels below `mode`. */
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

/** Creates an observer that logs failures of publishers. */
export function logPublishing(log: StreamLogger): PublishObserver {
  return {
    writeFailed: (write) => log.warn(write, 'a write of a batch failed'),
    eventFailed: (topic, code) => log.error({ topic, code }, 'an event was not published'),
  };
}

/** Creates an observer that logs reports of consumers, except those about every record. */
export function logConsuming(log: StreamLogger): Omit<ConsumeObserver, 'finished'> {
  return {
    callFailed: (consumer, { record: { partition, offset }, attempt, error: err }) =>
      log.warn({ ...consumer, partition, offset, attempt, err }, 'a callback failed'),
    partitionBlocked: (consumer, { record: { partition, offset }, topic: target, error: err }) =>
      log.error(
        { ...consumer, partition, offset, target, err },
        'a partition is blocked: its record is neither handled nor written to the target topic',
      ),
    partitionUnblocked: (consumer, { partition }) =>
      log.info({ ...consumer, partition }, 'the partition is not blocked any more'),
    commitFailed: (consumer, err) => log.warn({ ...consumer, err }, 'a commit failed'),
    recordsLost: (consumer, { partition, from, to }) =>
      log.warn(
        { ...consumer, partition, from, to, records: Number(to - from) },
        'records were lost: retention deleted them before they were read',
      ),
    interrupted: (consumer, err) => log.warn({ ...consumer, err }, 'the stream was interrupted'),
  };
}

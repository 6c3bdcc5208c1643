import { type DestinationStream, type Logger, pino } from 'pino';

/** Options of `createLogger`. */
export interface LoggerOptions {
  /** Least severe level that is written: `info`. */
  readonly level: string;
  /** Name of the app, written as `service` on each line. */
  readonly service: string;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** Creates a logger that writes JSON lines, with ISO times and levels by name. */
export function createLogger({ level, service, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination ? pino(options, destination) : pino(options);
}

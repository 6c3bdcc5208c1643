import { type DestinationStream, type Logger, pino } from 'pino';

export interface LoggerOptions {
  /** The least important lines that are written. */
  readonly level: string;
  /** The app, as `service` on each line. */
  readonly service: string;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** JSON lines with ISO times and readable levels. */
export function createLogger({ level, service, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination ? pino(options, destination) : pino(options);
}

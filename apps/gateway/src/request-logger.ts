import type { FastifyBaseLogger } from 'fastify';
import type { Bindings, ChildLoggerOptions, Level, LogFn, Logger } from 'pino';

type AnyArguments = Parameters<(...args: unknown[]) => void>;

/**
 * The logger of one request. Most requests log nothing, so the child that knows their ids is made
 * with the first line that is written.
 */
export class RequestLogger implements FastifyBaseLogger {
  readonly #parent: Logger;
  readonly #bindings: () => Bindings;
  #child: Logger | undefined;

  /** `bindings` is asked once, with the first line. */
  constructor(parent: Logger, bindings: () => Bindings) {
    this.#parent = parent;
    this.#bindings = bindings;
  }

  get level(): string {
    return this.#parent.level;
  }

  fatal(...args: AnyArguments): void {
    this.#write('fatal', args);
  }

  error(...args: AnyArguments): void {
    this.#write('error', args);
  }

  warn(...args: AnyArguments): void {
    this.#write('warn', args);
  }

  info(...args: AnyArguments): void {
    this.#write('info', args);
  }

  debug(...args: AnyArguments): void {
    this.#write('debug', args);
  }

  trace(...args: AnyArguments): void {
    this.#write('trace', args);
  }

  silent(): void {}

  child(bindings: Bindings, options?: ChildLoggerOptions): Logger {
    return this.#open().child(bindings, options);
  }

  #write(level: Level, args: unknown[]): void {
    if (!this.#parent.isLevelEnabled(level)) return;
    const log = this.#open();
    const write: LogFn = log[level];
    Reflect.apply(write, log, args);
  }

  #open(): Logger {
    this.#child ??= this.#parent.child(this.#bindings());
    return this.#child;
  }
}

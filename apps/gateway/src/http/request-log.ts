import { randomBytes } from 'node:crypto';
import {
  type FastifyBaseLogger,
  type FastifyServerOptions,
  LogController,
  type RawServerDefault,
} from 'fastify';
import type { Bindings, ChildLoggerOptions, Level, LogFn, Logger } from 'pino';
import type { App } from '../app.js';
import { parseTraceContext } from './trace-context.js';

type LogOptions = Required<
  Pick<FastifyServerOptions<RawServerDefault>, 'childLoggerFactory' | 'genReqId' | 'logController'>
>;

/**
 * Returns the server options with which requests log to `logger`, with their id and that of their
 * trace.
 *
 * The server itself gets no logger. With one, Fastify watches the end of every response to log a
 * line, which is not wanted by default. Errors are logged by the error handler instead.
 */
export function requestLogOptions(logger: Logger): LogOptions {
  return {
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: createRequestIds(),
    // biome-ignore lint/complexity/useMaxParams: Fastify's signature
    childLoggerFactory: (_none, { reqId }, _options, { headers }) =>
      new RequestLogger(logger, () => {
        const { traceparent } = headers;
        const trace = parseTraceContext(
          typeof traceparent === 'string' ? traceparent : undefined,
          undefined,
        );
        return { requestId: reqId, ...(trace ? { traceId: trace.traceId } : {}) };
      }),
  };
}

/** Creates a source of cheap ids that are unique among processes whose logs are read together. */
function createRequestIds(): () => string {
  const prefix = randomBytes(5).toString('hex');
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}

/** Logs a line for every answer. */
export function addRequestLog(app: App): void {
  app.addHook('onResponse', (request, reply, done) => {
    request.log.info(
      {
        method: request.method,
        // Without the query, which may hold secrets and personal data.
        path: request.url.split('?', 1)[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 100) / 100,
        ...(request.caller?.kind === 'key' ? { apiKey: request.caller.id } : {}),
      },
      'request answered',
    );
    done();
  });
}

type AnyArguments = Parameters<(...args: unknown[]) => void>;

/**
 * Logger of one request. Most requests log nothing, so the child logger with their ids is created
 * with the first line.
 */
class RequestLogger implements FastifyBaseLogger {
  readonly #parent: Logger;
  readonly #bindings: () => Bindings;
  #child: Logger | undefined;

  /** `bindings` is called once, with the first line. */
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

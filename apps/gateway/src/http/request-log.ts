import { randomBytes } from 'node:crypto';
import { type FastifyServerOptions, LogController, type RawServerDefault } from 'fastify';
import type { Logger } from 'pino';
import type { App } from '../app.js';
import { RequestLogger } from '../request-logger.js';
import { parseTraceContext } from './trace-context.js';

type LogOptions = Required<
  Pick<FastifyServerOptions<RawServerDefault>, 'childLoggerFactory' | 'genReqId' | 'logController'>
>;

/**
 * How requests log: through `logger`, with their id and that of their trace.
 *
 * The server itself gets no logger: with one it watches the end of every response, to log a line
 * that is not wanted for most of them. What it would say comes from the error handler instead.
 */
export function requestLogOptions(logger: Logger): LogOptions {
  return {
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: createRequestIds(),
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

/** Ids that are cheap, and unique among the processes whose logs are read together. */
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
        // Without the query, which may hold what nobody wants in a log.
        path: request.url.split('?', 1)[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 100) / 100,
        ...(request.apiKey ? { apiKey: request.apiKey.id } : {}),
      },
      'request answered',
    );
    done();
  });
}

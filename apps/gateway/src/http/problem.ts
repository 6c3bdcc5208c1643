import { PlatformError } from '@posthaste/contracts';
import { sqlState } from '@posthaste/postgres';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { toPublicProblem } from '../public-problem.js';
import { toFieldFaults } from './field-faults.js';
import { RepeatedWarnings } from './repeated-warnings.js';

/** Media type of every error (RFC 9457). */
export const problemType = 'application/problem+json; charset=utf-8';

/** Wait before asking again, in seconds, where the error itself tells none. */
const defaultRetryAfter = '1';

/** What is read of a body that is too large, and thrown away, so that its sender gets the answer. */
const maxDiscardedBytes = 64 * 1_048_576;

/** Turns whatever went wrong into an answer. There is one in the server. */
export type ErrorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/** Creates the server's error handler: problem details out, defects to the log. */
export function createErrorHandler(): ErrorHandler {
  const warnings = new RepeatedWarnings();
  return (error, request, reply) => {
    const known = toPlatformError(error, request);
    logError(known, request, warnings);
    if (known.code === 'REQUEST_TOO_LARGE') keepForAnswer(request, reply);
    if (known.type === 'unauthorized') reply.header('www-authenticate', 'Bearer');
    if (known.type === 'unavailable' && !reply.hasHeader('retry-after')) {
      reply.header('retry-after', defaultRetryAfter);
    }
    reply
      .code(known.httpStatus)
      .header('content-type', problemType)
      // As text, because the serializer of the route is that of its own answers.
      .send(JSON.stringify(toPublicProblem(known, request.id)));
  };
}

/**
 * Closing while the client still sends would reset the connection, and most clients then report
 * that instead of the answer. So the connection stays where the rest of the body is bounded; the
 * time it may take is bounded anyway.
 */
function keepForAnswer(request: FastifyRequest, reply: FastifyReply): void {
  const announced = Number(request.headers['content-length']);
  if (announced <= maxDiscardedBytes) reply.removeHeader('connection');
}

/** The one place that knows Fastify's errors, by their codes. */
function toPlatformError(error: unknown, request: FastifyRequest): PlatformError {
  if (error instanceof PlatformError) return lacksTable(error) ? toPending(error) : error;
  if (request.raw.readableAborted && hasCode(error, 'ECONNRESET')) {
    return new PlatformError('REQUEST_MALFORMED', 'the client went away before its request ended', {
      cause: error,
    });
  }
  return (isFastifyError(error) ? fromFastify(error) : undefined) ?? toInternal(error);
}

/** SQLSTATEs of a table and of a schema that is not there: all of ours are, once migrated. */
const missingStates: ReadonlySet<string | undefined> = new Set(['42P01', '3F000']);

function lacksTable(error: PlatformError): boolean {
  return error.code === 'DATABASE_ERROR' && missingStates.has(sqlState(error));
}

function toPending(cause: PlatformError): PlatformError {
  const message = 'the database lacks tables of this release: run "posthaste migrate"';
  return new PlatformError('MIGRATION_PENDING', message, { cause });
}

function isFastifyError(error: unknown): error is FastifyError {
  return hasCode(error) && error.code.startsWith('FST_');
}

function hasCode(error: unknown, code?: string): error is Error & { code: string } {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return false;
  return code === undefined || error.code === code;
}

function fromFastify(error: FastifyError): PlatformError | undefined {
  const options = { cause: error };
  switch (error.code) {
    case 'FST_ERR_VALIDATION': {
      const details = toFieldFaults(error.validation ?? [], error.validationContext ?? 'body');
      const [first] = details;
      const message = first ? `${first.field}: ${first.message}` : 'the request is invalid';
      return new PlatformError('REQUEST_INVALID', message, { ...options, details });
    }
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new PlatformError('REQUEST_INVALID', 'the body is not valid JSON', options);
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new PlatformError('REQUEST_INVALID', 'the body is empty', options);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new PlatformError('REQUEST_MALFORMED', 'the body is not of its length', options);
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new PlatformError('REQUEST_TOO_LARGE', 'the body is over the size limit', options);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new PlatformError(
        'MEDIA_TYPE_UNSUPPORTED',
        'the route does not take this Content-Type',
        options,
      );
    case 'FST_ERR_BAD_URL':
      return new PlatformError('REQUEST_MALFORMED', 'the path is not valid', options);
    case 'FST_ERR_NOT_FOUND':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new PlatformError('ROUTE_NOT_FOUND', 'there is no such route', options);
    default:
      return undefined;
  }
}

function toInternal(error: unknown): PlatformError {
  const message = error instanceof Error ? error.message : String(error);
  return new PlatformError('INTERNAL', message, { cause: error });
}

/**
 * Defects with all that is known; what the server could not do for now at most once a second and
 * kind; what the caller did wrong only for those who look for it.
 */
function logError(error: PlatformError, request: FastifyRequest, warnings: RepeatedWarnings): void {
  if (error.type === 'internal') {
    request.log.error(
      { err: error, method: request.method, path: request.routeOptions.url },
      'request failed',
    );
  } else if (
    error.type === 'unavailable' ||
    (error.type === 'timeout' && error.httpStatus >= 500)
  ) {
    warnings.warn(request.log, error.code, error.message);
  } else {
    request.log.debug({ code: error.code, status: error.httpStatus }, error.message);
  }
}

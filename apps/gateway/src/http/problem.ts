import { PlatformError, type ProblemDetails, toProblemDetails } from '@posthaste/contracts';
import { sqlState } from '@posthaste/postgres';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { setRetryAfter } from '../access/application-limits.js';
import { toFieldFaults } from './field-faults.js';
import type { FaultDelay } from './limits/fault-delay.js';
import { RepeatedWarnings } from './repeated-warnings.js';

/** Media type of every error (RFC 9457). */
export const problemType = 'application/problem+json; charset=utf-8';

/** Retry-After of errors that set none themselves, in seconds. */
const defaultRetryAfter = '1';

/** Most bytes of an oversized body that are read and dropped, so that its sender gets the answer. */
const maxDiscardedBytes = 64 * 1_048_576;

/** Turns any error into an answer. The server has one for all routes. */
export type ErrorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/**
 * Creates the server's error handler: it answers with problem details and logs defects.
 *
 * @param delay holds back answers to callers that send many faulty requests
 */
export function createErrorHandler(delay: FaultDelay): ErrorHandler {
  const warnings = new RepeatedWarnings();
  return (error, request, reply) => {
    const known = toPlatformError(error, request);
    logError(known, request, warnings);
    if (known.code === 'REQUEST_TOO_LARGE') keepConnectionForAnswer(request, reply);
    // RFC 9110, section 12.5.3: it names the encodings that would be accepted.
    if (known.code === 'MEDIA_TYPE_UNSUPPORTED') reply.header('accept-encoding', 'identity');
    if (known.type === 'unauthorized') reply.header('www-authenticate', 'Bearer');
    if (known.code === 'LIMIT_REACHED') setRetryAfter(reply, known);
    if (isTemporary(known) && !reply.hasHeader('retry-after')) {
      reply.header('retry-after', defaultRetryAfter);
    }
    reply.code(known.httpStatus).header('content-type', problemType);
    // As text, because the serializer of the route fits its own answers only.
    const answer = JSON.stringify(toPublicProblem(known, request.id));
    const waitMs = delay.ofAnswer(request, known.httpStatus);
    if (waitMs === 0) return void reply.send(answer);
    // A large body must not stay in memory for so long.
    request.body = null;
    setTimeout(() => reply.send(answer), waitMs);
  };
}

function isTemporary({ type }: PlatformError): boolean {
  return type === 'unavailable' || type === 'rate_limited';
}

/**
 * Converts an error to the form that callers see. Messages of the database contain names of hosts,
 * ports and tables, so they go only to the log. Title and code are enough for the caller.
 */
export function toPublicProblem(error: PlatformError, requestId: string): ProblemDetails {
  const problem = toProblemDetails(error, requestId);
  // The detail of internal errors is hidden already.
  const isHidden = error.code.startsWith('DATABASE_') && error.type !== 'internal';
  return isHidden ? { ...problem, detail: 'the database could not serve the request' } : problem;
}

/**
 * Keeps the connection open if the rest of the body is within `maxDiscardedBytes`. Closing it while
 * the client still sends would reset it, and most clients then report the reset instead of the
 * answer. The time for the rest is bounded by the request timeout.
 */
function keepConnectionForAnswer(request: FastifyRequest, reply: FastifyReply): void {
  const announced = Number(request.headers['content-length']);
  if (announced <= maxDiscardedBytes) reply.removeHeader('connection');
}

/** Translates errors of Fastify, by their codes. No other place knows them. */
function toPlatformError(error: unknown, request: FastifyRequest): PlatformError {
  if (error instanceof PlatformError) {
    return isMissingTable(error) ? toMigrationPending(error) : error;
  }
  if (request.raw.readableAborted && hasCode(error, 'ECONNRESET')) {
    const message = 'the client closed the connection before its request ended';
    return new PlatformError('REQUEST_MALFORMED', message, { cause: error });
  }
  return (isFastifyError(error) ? fromFastify(error, request) : undefined) ?? toInternal(error);
}

/** SQLSTATEs of a missing table and a missing schema. After the migrations none is missing. */
const missingTableStates: ReadonlySet<string | undefined> = new Set(['42P01', '3F000']);

/** True if a table or schema is missing: the database lacks migrations. */
export function isMissingTable(error: PlatformError): boolean {
  return error.code === 'DATABASE_ERROR' && missingTableStates.has(sqlState(error));
}

function toMigrationPending(cause: PlatformError): PlatformError {
  const message = 'the database lacks tables of this release; run "posthaste migrate"';
  return new PlatformError('MIGRATION_PENDING', message, { cause });
}

function isFastifyError(error: unknown): error is FastifyError {
  return hasCode(error) && error.code.startsWith('FST_');
}

function hasCode(error: unknown, code?: string): error is Error & { code: string } {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return false;
  return code === undefined || error.code === code;
}

function fromFastify(error: FastifyError, request: FastifyRequest): PlatformError | undefined {
  const options = { cause: error };
  switch (error.code) {
    case 'FST_ERR_VALIDATION': {
      const part = error.validationContext ?? 'body';
      const details = toFieldFaults(error.validation ?? [], part, schemaOf(request, part));
      const [first] = details;
      const message = first ? `${first.field}: ${first.message}` : 'the request is invalid';
      return new PlatformError('REQUEST_INVALID', message, { ...options, details });
    }
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new PlatformError('REQUEST_INVALID', 'the body is not valid JSON', options);
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new PlatformError('REQUEST_INVALID', 'the body is empty', options);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new PlatformError(
        'REQUEST_MALFORMED',
        'the length of the body differs from its Content-Length',
        options,
      );
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

/** Returns the schema of a part of the request, which validated it. */
function schemaOf({ routeOptions }: FastifyRequest, part: string): unknown {
  const schema: object = routeOptions.schema ?? {};
  return part in schema ? Reflect.get(schema, part) : undefined;
}

/** Converts an unexpected error, which is a defect. */
export function toInternal(error: unknown): PlatformError {
  const message = error instanceof Error ? error.message : String(error);
  return new PlatformError('INTERNAL', message, { cause: error });
}

/**
 * Logs an error by its type: a defect with all details; a temporary failure of the server as a
 * warning, at most once a second for each code; a mistake of the caller at level debug.
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

import type { Socket } from 'node:net';
import { PlatformError, toProblemDetails } from '@posthaste/contracts';
import type { FastifyServerOptions } from 'fastify';
import type { Logger } from 'pino';
import { problemType } from './problem.js';

type ClientErrorHandler = NonNullable<FastifyServerOptions['clientErrorHandler']>;

/**
 * Creates the handler of bytes that never became a request: too slow, too large, or not HTTP. It
 * answers and closes the connection, because the start of the next request cannot be found.
 */
export function createMalformedRequestHandler(logger: Logger): ClientErrorHandler {
  return (error, socket) => {
    const problem = toPlatformError(error.code);
    logger.debug({ code: problem.code, reason: error.code }, problem.message);
    // After a reset the client cannot receive an answer.
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    if (isUnanswered(socket)) socket.write(toResponse(problem));
    socket.destroySoon();
  };
}

function toPlatformError(reason: string): PlatformError {
  switch (reason) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new PlatformError('REQUEST_TIMEOUT', 'the request did not arrive in time');
    case 'HPE_HEADER_OVERFLOW':
      return new PlatformError('HEADERS_TOO_LARGE', 'the headers are over the size limit');
    default:
      return new PlatformError('REQUEST_MALFORMED', 'this is not a valid HTTP request');
  }
}

/** True if an answer can be written without mixing with one that is already being sent. */
function isUnanswered(socket: Socket): boolean {
  // Node keeps the answer in progress on the socket, and offers no public way to ask for it.
  const { _httpMessage: answer } = socket as Socket & { _httpMessage?: { headersSent: boolean } };
  return socket.writable && !answer?.headersSent;
}

function toResponse(problem: PlatformError): string {
  const body = JSON.stringify(toProblemDetails(problem));
  return [
    `HTTP/1.1 ${problem.httpStatus} ${problem.code}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}

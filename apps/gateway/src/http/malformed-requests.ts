import type { Socket } from 'node:net';
import { PlatformError, toProblemDetails } from '@posthaste/contracts';
import type { FastifyServerOptions } from 'fastify';
import type { Logger } from 'pino';
import { problemType } from './problem.js';
import type { RequestStep } from './request-steps.js';

type ClientErrorHandler = NonNullable<FastifyServerOptions['clientErrorHandler']>;

/** Created once: it is the same for every such request. */
const twoHosts = new PlatformError(
  'REQUEST_MALFORMED',
  'the request has more than one Host header',
);

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

/**
 * Refuses requests with more than one Host header, and closes their connection (RFC 9112, section
 * 3.2). Node takes the first; a proxy in front may have taken another, and checked that one.
 */
export const refuseTwoHosts: RequestStep = (request, reply) => {
  const { rawHeaders } = request.raw;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts <= 1) return undefined;
  reply.header('connection', 'close');
  return twoHosts;
};

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
    'cross-origin-resource-policy: same-origin',
    'connection: close',
    '',
    body,
  ].join('\r\n');
}

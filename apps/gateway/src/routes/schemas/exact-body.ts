import { isUtf8 } from 'node:buffer';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { type IdempotencyClaim, PlatformError, parseJsonWithBigints } from '@posthaste/contracts';
import type { App } from '../../app.js';
import { readIdempotencyClaim } from './idempotency.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Claim of the request's Idempotency-Key; `undefined` without one. */
    idempotency: IdempotencyClaim | undefined;
  }
}

/**
 * Adds the body parser of routes that take JSON to be passed on. Integers beyond 2^53 keep their
 * digits, so that receivers get what the caller sent. The text is hashed for an Idempotency-Key.
 * @param mediaTypes media types of these bodies, all of which are JSON
 */
export function addExactBodyParser(
  app: App,
  mediaTypes: readonly string[] = ['application/json'],
): void {
  app.decorateRequest('idempotency', undefined);
  app.setValidatorCompiler((route) =>
    // The schema of the headers is for the API document only: the parser reads the Idempotency-Key.
    route.httpPart === 'headers' ? () => true : TypeBoxValidatorCompiler(route),
  );
  app.addContentTypeParser<Buffer>(
    [...mediaTypes],
    { parseAs: 'buffer' },
    (request, body, done) => {
      try {
        const text = toBodyText(body);
        request.idempotency = readIdempotencyClaim(request.headers, text);
        done(null, parseJson(text));
      } catch (error) {
        done(error as Error);
      }
    },
  );
}

/**
 * Decodes a body. JSON is UTF-8 (RFC 8259), whatever charset its Content-Type names. Decoding would
 * replace other bytes, and so change what is passed on; they are refused instead.
 * @throws PlatformError `REQUEST_INVALID`
 */
export function toBodyText(body: Buffer): string {
  if (isUtf8(body)) return body.toString();
  throw new PlatformError('REQUEST_INVALID', 'the body is not valid UTF-8');
}

function parseJson(text: string): unknown {
  if (text === '') throw new PlatformError('REQUEST_INVALID', 'the body is empty');
  try {
    return parseJsonWithBigints(text);
  } catch (cause) {
    throw new PlatformError('REQUEST_INVALID', 'the body is not valid JSON', { cause });
  }
}

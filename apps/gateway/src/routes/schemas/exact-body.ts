import { isUtf8 } from 'node:buffer';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { type IdempotencyClaim, PlatformError } from '@posthaste/contracts';
import type { App } from '../../app.js';
import { readIdempotencyClaim } from './idempotency.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Claim of the request's Idempotency-Key; `undefined` without one. */
    idempotency: IdempotencyClaim | undefined;
  }
}

/** Options of {@link addExactBodyParser}. */
export interface ExactBodyOptions {
  /**
   * Parses the text of a body. It keeps what a plain parser would lose: digits, white space.
   * @throws SyntaxError as `JSON.parse` does
   */
  readonly parse: (text: string) => unknown;
  /** Media types of these bodies, all of which are JSON. Default: `application/json`. */
  readonly mediaTypes?: readonly string[];
}

/**
 * Adds the body parser of routes that take JSON to be passed on: receivers get what the caller sent.
 * The text is hashed for an Idempotency-Key.
 */
export function addExactBodyParser(
  app: App,
  { parse, mediaTypes = ['application/json'] }: ExactBodyOptions,
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
        done(null, parseBody(text, parse));
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

function parseBody(text: string, parse: ExactBodyOptions['parse']): unknown {
  if (text === '') throw new PlatformError('REQUEST_INVALID', 'the body is empty');
  try {
    return parse(text);
  } catch (cause) {
    throw new PlatformError('REQUEST_INVALID', 'the body is not valid JSON', { cause });
  }
}

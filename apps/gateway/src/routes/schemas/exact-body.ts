import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { type IdempotencyClaim, PlatformError, parseJsonWithBigints } from '@posthaste/contracts';
import type { App } from '../../app.js';
import { toBodyText } from '../body-text.js';
import { readIdempotencyClaim } from './idempotency.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the request's Idempotency-Key; `undefined` without one. */
    idempotency: IdempotencyClaim | undefined;
  }
}

/**
 * Reads the bodies of routes that take what is passed on: integers keep their digits beyond 2^53,
 * because they are to arrive as they came, and the text is hashed for an Idempotency-Key.
 * @param mediaTypes of these bodies, all of which are JSON
 */
export function readExactBodies(
  app: App,
  mediaTypes: readonly string[] = ['application/json'],
): void {
  app.decorateRequest('idempotency', undefined);
  app.setValidatorCompiler((route) =>
    // Headers have a schema for those who read the API document; the one that matters is read here.
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

function parseJson(text: string): unknown {
  if (text === '') throw new PlatformError('REQUEST_INVALID', 'the body is empty');
  try {
    return parseJsonWithBigints(text);
  } catch (cause) {
    throw new PlatformError('REQUEST_INVALID', 'the body is not valid JSON', { cause });
  }
}

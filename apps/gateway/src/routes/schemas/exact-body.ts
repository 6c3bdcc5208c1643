import type { IdempotencyClaim } from '@posthaste/contracts';
import type { App } from '../../app.js';
import { setJsonParser } from '../../http/json-body.js';
import { compileValidator } from '../../http/validator.js';
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
}

/**
 * Adds the body parser of routes that take JSON to be passed on: receivers get what the caller sent.
 * The text is hashed for an Idempotency-Key.
 */
export function addExactBodyParser(app: App, { parse }: ExactBodyOptions): void {
  app.decorateRequest('idempotency', undefined);
  app.setValidatorCompiler((route) =>
    // The schema of the headers is for the API document only: the parser reads the Idempotency-Key.
    route.httpPart === 'headers' ? () => true : compileValidator(route),
  );
  setJsonParser(app, (text, request) => {
    request.idempotency = readIdempotencyClaim(request.headers, text);
    return parse(text);
  });
}

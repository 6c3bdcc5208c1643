import { isUtf8 } from 'node:buffer';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import type { App } from '../app.js';

/**
 * Parses the text of a body.
 * @throws PlatformError, which is passed on; any other error means that the text is not JSON
 */
export type JsonParser = (text: string, request: FastifyRequest) => unknown;

const jsonType = 'application/json';

/** Sets the parser of JSON bodies for the routes that are registered in this scope from now on. */
export function setJsonParser(app: App, parse: JsonParser): void {
  if (app.hasContentTypeParser(jsonType)) app.removeContentTypeParser(jsonType);
  app.addContentTypeParser<Buffer>(jsonType, { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, parseJsonBody(request, body, parse));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** True if the route takes no body, or one that may be left out: its schema allows null. */
export function mayLackBody({ routeOptions }: FastifyRequest): boolean {
  const body = routeOptions.schema?.body as { readonly type?: unknown } | undefined;
  return body === undefined || (Array.isArray(body.type) && body.type.includes('null'));
}

/** Creates Fastify's own parser: it refuses keys that could change the prototype of an object. */
export function createPlainParser(app: App): JsonParser {
  const parse = app.getDefaultJsonParser('error', 'error');
  return (text, request) => {
    const result: { error?: Error | null; value?: unknown } = {};
    // Calls back before it returns, and returns no promise.
    void parse(request, text, (error, value) => Object.assign(result, { error, value }));
    if (result.error) throw result.error;
    return result.value;
  };
}

/**
 * Parses the bytes of a JSON body. An empty one is null where the body may be left out.
 * @throws PlatformError `REQUEST_INVALID`; `MEDIA_TYPE_UNSUPPORTED` for a Content-Encoding or a byte
 *   order mark
 */
export function parseJsonBody(request: FastifyRequest, body: Buffer, parse: JsonParser): unknown {
  if (body.length === 0) {
    // Sent in chunks, so that only its end shows that there is none.
    if (mayLackBody(request)) return null;
    throw new PlatformError('REQUEST_INVALID', 'the body is empty');
  }
  checkEncoding(request.headers['content-encoding']);
  const text = decodeJson(body);
  try {
    return parse(text, request);
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    // Some parsers recurse.
    const fault = cause instanceof RangeError ? 'is nested too deeply' : 'is not valid JSON';
    throw new PlatformError('REQUEST_INVALID', `the body ${fault}`, { cause });
  }
}

/**
 * Refuses compressed bodies. The name of no encoding is accepted.
 * @throws PlatformError `MEDIA_TYPE_UNSUPPORTED`
 */
export function checkEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding === '' || encoding.toLowerCase() === 'identity') return;
  const message = `the body has the Content-Encoding '${encoding.slice(0, 64)}'; send it without one`;
  throw new PlatformError('MEDIA_TYPE_UNSUPPORTED', message);
}

/**
 * Decodes a body. JSON is UTF-8 (RFC 8259), whatever charset its Content-Type names. Decoding would
 * replace other bytes, and so change what is passed on; they are refused instead.
 * @throws PlatformError `REQUEST_INVALID`; `MEDIA_TYPE_UNSUPPORTED` for a byte order mark
 */
export function decodeJson(body: Buffer): string {
  if (startsWithMark(body)) {
    const message = 'the body begins with a UTF-8 byte order mark (BOM); send it without one';
    throw new PlatformError('MEDIA_TYPE_UNSUPPORTED', message);
  }
  if (isUtf8(body)) return body.toString();
  throw new PlatformError('REQUEST_INVALID', 'the body is not valid UTF-8');
}

function startsWithMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

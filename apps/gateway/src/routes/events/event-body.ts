import {
  fromBinaryCloudEvent,
  fromHttpHeaders,
  type HttpHeaders,
  isCloudEventContentType,
  isJsonContentType,
  PlatformError,
  parseJsonWithDigits,
} from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import type { App } from '../../app.js';
import { checkEncoding, decodeJson, parseJsonBody } from '../../http/json-body.js';
import { readIdempotencyClaim } from '../schemas/idempotency.js';
import { type EventMode, toEventInvalid } from './event-faults.js';

/** Media types of CloudEvents in JSON. */
export const cloudEventType = 'application/cloudevents+json';
export const cloudEventsType = 'application/cloudevents-batch+json';

/** Parsed body of a request that publishes. */
export interface EventBody {
  readonly mode: EventMode;
  /** Parsed JSON, with all digits. In binary mode the CloudEvent. */
  readonly value: unknown;
  /** True if the JSON may have half a surrogate pair, which only an escape can write. */
  readonly mayHaveHalfPairs: boolean;
}

/** Headers of which each one means that the request is an event in binary mode. */
const binaryHeaders = ['ce-specversion', 'ce-id', 'ce-type', 'ce-source'] as const;
const escapedHalf = /\\u[dD][89a-fA-F]/;

/** Adds the body parser of routes that publish. It gives an `EventBody`, for every Content-Type. */
export function addEventBodyParser(app: App): void {
  app.decorateRequest('idempotency', undefined);
  app.removeAllContentTypeParsers();
  // JSON is named because the parser of a named type is found sooner.
  const types = ['application/json', '*'];
  app.addContentTypeParser<Buffer>(types, { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, readEventBody(request, body));
    } catch (error) {
      done(error as Error);
    }
  });
}

/**
 * Reads the body of a request, and the claim of its Idempotency-Key.
 * @throws PlatformError `REQUEST_INVALID`, `EVENT_INVALID`; `MEDIA_TYPE_UNSUPPORTED` for another
 *   format of CloudEvents, and for what is neither JSON nor a CloudEvent
 */
export function readEventBody(request: FastifyRequest, body: Buffer): EventBody {
  const mode = modeOf(request, body);
  if (mode === 'binary') return readBinary(request, body);
  let mayHaveHalfPairs = false;
  const value = parseJsonBody(request, body, (text) => {
    request.idempotency = readIdempotencyClaim(request.headers, text);
    mayHaveHalfPairs = escapedHalf.test(text);
    return parseJsonWithDigits(text);
  });
  return { mode, value, mayHaveHalfPairs };
}

function modeOf({ headers }: FastifyRequest, body: Buffer): EventMode {
  const [mediaType = ''] = (headers['content-type'] ?? '').split(';', 1);
  const type = mediaType.trim().toLowerCase();
  if (type === cloudEventType) return 'structured';
  if (type === cloudEventsType) return 'batched';
  if (isCloudEventContentType(type)) {
    const message = `the format '${type.slice(0, 64)}' of CloudEvents is not supported; send ${cloudEventType}, ${cloudEventsType}, or binary mode`;
    throw new PlatformError('MEDIA_TYPE_UNSUPPORTED', message);
  }
  if (binaryHeaders.some((name) => headers[name] !== undefined)) return 'binary';
  // Without a body, that is what is wrong, and not its type.
  if (type === 'application/json' || (type === '' && body.length === 0)) return 'plain';
  const message = `the route takes JSON and CloudEvents; the Content-Type is '${type.slice(0, 64)}', and no header is a CloudEvents attribute such as ce-id`;
  throw new PlatformError('MEDIA_TYPE_UNSUPPORTED', message);
}

function readBinary(request: FastifyRequest, body: Buffer): EventBody {
  if (body.length > 0) checkEncoding(request.headers['content-encoding']);
  try {
    const { attributes, contentType } = fromHttpHeaders(toLists(request.raw.rawHeaders));
    const isJson = contentType !== undefined && isJsonContentType(contentType);
    const text = isJson && body.length > 0 ? decodeJson(body) : '';
    const value = fromBinaryCloudEvent({ attributes, contentType, body });
    // The attributes are part of what was sent, in an order that proxies may change.
    const given = JSON.stringify([contentType, Object.entries(attributes).sort()]);
    const content = Buffer.concat([Buffer.from(`${given}\n`), body]);
    request.idempotency = readIdempotencyClaim(request.headers, content);
    return { mode: 'binary', value, mayHaveHalfPairs: escapedHalf.test(text) };
  } catch (error) {
    throw toEventInvalid(error, 'binary');
  }
}

/** Collects headers by name. Node's own collection hides that some of them were sent twice. */
function toLists(rawHeaders: readonly string[]): HttpHeaders {
  const lists: Record<string, string[]> = {};
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = String(rawHeaders[i]).toLowerCase();
    if (!name.startsWith('ce-') && name !== 'content-type') continue;
    lists[name] ??= [];
    lists[name].push(String(rawHeaders[i + 1]));
  }
  return lists;
}

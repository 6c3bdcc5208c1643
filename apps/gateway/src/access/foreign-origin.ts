import { type Caller, pageScopes } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';

/**
 * Refuses an API key that a web page of another origin sends, unless it may do nothing but use
 * realtime channels. Everybody who can load such a page can read its key. An origin of POSTHASTE_CORS_ORIGINS is foreign
 * too: its pages may call and read answers, with tokens that expire soon. Programs that are no
 * browsers send no Origin.
 */
export function checkOriginOfKey(
  request: FastifyRequest,
  { kind, scopes }: Caller,
): PlatformError | undefined {
  const { origin } = request.raw.headers;
  if (origin === undefined || kind !== 'key' || !isForeign(request, origin)) return undefined;
  if (scopes.every((scope) => pageScopes.includes(scope))) return undefined;
  return new PlatformError(
    'ORIGIN_KEY_FORBIDDEN',
    `a web page of the origin '${origin}' sent an API key that may do more than use realtime channels`,
  );
}

/** True unless the page comes from this server, under the name by which the request reached it. */
function isForeign(request: FastifyRequest, origin: string): boolean {
  // Browsers say so themselves, also where a proxy has changed the Host header.
  if (request.raw.headers['sec-fetch-site'] === 'same-origin') return false;
  return origin !== `https://${request.host}` && origin !== `http://${request.host}`;
}

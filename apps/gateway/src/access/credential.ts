import {
  type Authenticator,
  type Authenticators,
  sessionCookie,
  tokenPrefix,
} from '@posthaste/access';
import type { FastifyRequest } from 'fastify';

const bearer = /^bearer /i;
const bearerToken = new RegExp(`^bearer +${tokenPrefix}`, 'i');

/**
 * Returns the authenticator of the credential that a request has; undefined without a credential.
 * `Authorization` goes before the cookie, and is a credential whatever its form.
 */
export function findAuthenticator(
  request: FastifyRequest,
  { keys, tokens, sessions }: Authenticators,
): Authenticator | undefined {
  const { authorization } = request.raw.headers;
  if (authorization === undefined) {
    return sessions !== undefined && readSession(request) !== undefined ? sessions : undefined;
  }
  return tokens !== undefined && bearerToken.test(authorization) ? tokens : keys;
}

/**
 * Returns the credential of a request: the text after `Bearer`, or the session in the cookie. Empty
 * without one, and when `Authorization` has another form.
 */
export function readCredential(request: FastifyRequest): string {
  const { authorization } = request.raw.headers;
  if (authorization === undefined) return readSession(request) ?? '';
  // The name of the scheme is matched without regard to case (RFC 9110, section 11.1).
  return bearer.test(authorization) ? authorization.slice('bearer '.length).trim() : '';
}

/** Returns the value of the session's cookie. */
function readSession({ raw }: FastifyRequest): string | undefined {
  const { cookie } = raw.headers;
  if (cookie === undefined) return undefined;
  const start = `${sessionCookie}=`;
  const pair = cookie.split(';').find((each) => each.trimStart().startsWith(start));
  return pair?.trim().slice(start.length);
}

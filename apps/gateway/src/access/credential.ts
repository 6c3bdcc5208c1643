import { type Authenticator, type Authenticators, tokenPrefix } from '@posthaste/access';
import type { FastifyRequest } from 'fastify';
import { readCookie } from './session-cookies.js';

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
    return sessions && readCookie(request, sessions.cookieName) !== undefined
      ? sessions
      : undefined;
  }
  return tokens !== undefined && bearerToken.test(authorization) ? tokens : keys;
}

/**
 * Returns the credential of a request: the text after `Bearer`, or the session in the cookie. Empty
 * without one, and when `Authorization` has another form.
 */
export function readCredential(
  request: FastifyRequest,
  { sessions }: Pick<Authenticators, 'sessions'>,
): string {
  const { authorization } = request.raw.headers;
  if (authorization === undefined) {
    return (sessions && readCookie(request, sessions.cookieName)) ?? '';
  }
  // The name of the scheme is matched without regard to case (RFC 9110, section 11.1).
  return bearer.test(authorization) ? authorization.slice('bearer '.length).trim() : '';
}

import { RealtimeError } from '../protocol/realtime-error.js';
import type { AuthMode } from './authorizer.js';
import type { AuthHeaders } from './credential-object.js';

const jwtPattern = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
const bearerPattern = /^bearer +/i;
const signaturePrefix = 'AWS4-HMAC-SHA256';

/**
 * Returns the mode that headers mean; undefined without a credential. A JWT is `OPENID_CONNECT`: only
 * its issuer tells whether it is one of Cognito.
 */
export function findAuthMode(headers: AuthHeaders): AuthMode | undefined {
  if (headers['x-api-key'] !== undefined) return 'API_KEY';
  const authorization = headers.authorization;
  if (authorization === undefined || authorization === '') return undefined;
  if (authorization.startsWith(signaturePrefix)) return 'AWS_IAM';
  return findJwt(headers) === undefined ? 'AWS_LAMBDA' : 'OPENID_CONNECT';
}

/** Returns the JWT of `authorization`, without `Bearer `; undefined if it is none. */
export function findJwt(headers: AuthHeaders): string | undefined {
  const token = headers.authorization?.replace(bearerPattern, '');
  return token !== undefined && jwtPattern.test(token) ? token : undefined;
}

/** Creates the refusal of a bad credential, the same for every reason. */
export function unauthorized(): RealtimeError {
  return new RealtimeError(
    'UnauthorizedException',
    401,
    'You are not authorized to make this call.',
  );
}

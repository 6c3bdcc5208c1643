import { PlatformError } from '@posthaste/contracts';
import { AuthorizationResponseError, ResponseBodyError } from 'openid-client';
import { providerUnavailable } from './provider-http.js';

/** Returns the error for a sign-in that is refused. Its text never holds a code, state or token. */
export function signInFailed(reason: string, cause?: unknown): PlatformError {
  return new PlatformError(
    'SIGN_IN_FAILED',
    `the sign-in is refused: ${reason}; start again at /v1/sign-in`,
    { cause },
  );
}

/** Converts an error of the flow. Texts of the provider or the browser are cut and cleaned. */
export function toSignInError(error: unknown): PlatformError {
  const known = findPlatformError(error);
  if (known !== undefined) return known;
  const reason = describeError(error);
  const { code } = error as { readonly code?: unknown };
  // The token endpoint or the keys were answered with a status or a body that is not expected.
  const isProviders = code === 'OAUTH_RESPONSE_IS_NOT_CONFORM' || code === 'ERR_JOSE_GENERIC';
  // Nobody who signs in can help it: the id or the secret of the client is wrong.
  const isClients = error instanceof ResponseBodyError && /_client$/.test(error.error);
  return isProviders || isClients
    ? providerUnavailable(reason, error)
    : signInFailed(reason, error);
}

/** Describes an error in a few words. */
export function describeError(error: unknown): string {
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError) {
    return `it answered '${error.error.replace(/[^\x20-\x7e]/g, '').slice(0, 60)}'`;
  }
  return error instanceof Error ? error.message : 'unknown error';
}

/** Finds the error of `provider-http.ts`, which the libraries wrap. */
export function findPlatformError(error: unknown): PlatformError | undefined {
  let found = error;
  for (let depth = 0; depth < 4 && found instanceof Error; depth += 1) {
    if (found instanceof PlatformError) return found;
    found = found.cause;
  }
  return undefined;
}

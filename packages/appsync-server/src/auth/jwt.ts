import { isJsonObject, PlatformError } from '@posthaste/contracts';
import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { findJwt, unauthorized } from './auth-modes.js';
import type { AuthMode, Authorizer, Identity } from './authorizer.js';
import type { AuthHeaders } from './credential-object.js';
import { IdentityCache } from './identity-cache.js';

/** Function that reads key sets: a `fetch`. Written out, so that types need no ES module of `jose`. */
type KeyFetch = (
  url: string,
  options: { headers: Headers; method: 'GET'; redirect: 'manual'; signal: AbortSignal },
) => Promise<Response>;

/** Options of tokens of any issuer. */
export interface JwtOptions {
  /** Realm of all principals of the issuer. Default `''`. */
  readonly realm?: string | undefined;
  /** Address of the key set. Default: the one that the issuer publishes. */
  readonly jwksUrl?: string | undefined;
  /** Difference of clocks that is allowed for the begin of a token, in ms. Default 60,000. */
  readonly clockSkewMs?: number | undefined;
  /** Shortest time between two reads of the key set because of an unknown key, in ms. Default 10,000. */
  readonly rotationMs?: number | undefined;
  /** Longest time for which a checked token and the key set are trusted, in ms. Default 600,000. */
  readonly cacheMs?: number | undefined;
  /** Most tokens that are remembered. Default 10,000. */
  readonly cacheSize?: number | undefined;
  /** Reads key sets. Default: the `fetch` of Node. */
  readonly fetch?: KeyFetch | undefined;
  /** Returns the time in ms since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Options of tokens of an OpenID Connect provider. */
export interface OidcOptions extends JwtOptions {
  /** `iss` of the tokens, letter for letter. */
  readonly issuer: string;
  /** A token needs one of these in `aud`. Default: any. */
  readonly audience?: string | readonly string[] | undefined;
}

/** Options of tokens of a Cognito user pool. */
export interface CognitoOptions extends JwtOptions {
  /** Id of the pool, such as `eu-west-1_abc`; the part before `_` is its region. */
  readonly userPoolId: string;
  /** Clients that a token may be for: `aud` of ID tokens, `client_id` of access tokens. Default: any. */
  readonly clientId?: string | readonly string[] | undefined;
  /** Default `https://cognito-idp.<region>.amazonaws.com/<userPoolId>`. */
  readonly issuer?: string | undefined;
}

/** Signatures with a public key. One with a shared secret could be made from the public key. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
const fetchTimeoutMs = 5_000;

/** Creates the authorizer of an OpenID Connect provider. */
export function createOidcAuthorizer(options: OidcOptions): Authorizer {
  const allowed = toList(options.audience);
  return createJwtAuthorizer('OPENID_CONNECT', options, ({ aud }) => isOneOf(allowed, aud));
}

/**
 * Creates the authorizer of a Cognito user pool. Accepts its ID tokens and its access tokens.
 * @throws PlatformError `OPTION_INVALID` for an id of a pool without a region
 */
export function createCognitoAuthorizer(options: CognitoOptions): Authorizer {
  const { userPoolId } = options;
  const [region, rest] = userPoolId.split('_', 2);
  if (!region || !rest) {
    const message = `the user pool id '${userPoolId}' is not of the form region_id`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  const issuer = options.issuer ?? `https://cognito-idp.${region}.amazonaws.com/${userPoolId}`;
  const allowed = toList(options.clientId);
  const jwksUrl = options.jwksUrl ?? `${issuer}/.well-known/jwks.json`;
  return createJwtAuthorizer(
    'AMAZON_COGNITO_USER_POOLS',
    { ...options, issuer, jwksUrl },
    ({ token_use: use, aud, client_id: client }) =>
      (use === 'id' && isOneOf(allowed, aud)) || (use === 'access' && isOneOf(allowed, client)),
  );
}

/** @param isMeant true if the claims are for this server */
function createJwtAuthorizer(
  mode: AuthMode,
  options: JwtOptions & { readonly issuer: string },
  isMeant: (claims: JWTPayload) => boolean,
): Authorizer {
  const { issuer, realm = '', clockSkewMs = 60_000, now = Date.now } = options;
  const { cacheMs = 600_000, cacheSize = 10_000 } = options;
  const cache = new IdentityCache(cacheSize, now);
  const findKey = createKeySet(options);
  const verify = async (token: string): Promise<Identity> => {
    const getKey = await findKey();
    const { payload } = await jwtVerify(token, getKey, {
      issuer,
      algorithms,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: clockSkewMs / 1_000,
      currentDate: new Date(now()),
    }).catch(toRefusal);
    const expiresAt = (payload.exp ?? 0) * 1_000;
    // The tolerance is for tokens that begin: from its expiry on a token is refused.
    const isUsable = expiresAt > now() && typeof payload.sub === 'string' && payload.sub !== '';
    if (!isUsable || !isMeant(payload)) throw unauthorized();
    return { mode, id: payload.sub ?? '', realm, claims: payload, expiresAt };
  };
  return {
    mode,
    accepts: (headers) => {
      const token = findJwt(headers);
      if (token === undefined) return false;
      return cache.find(token) !== undefined || issuerOf(token) === issuer;
    },
    authorize: ({ headers }) => {
      const token = tokenOf(headers);
      return cache.resolve(token, () => verify(token), cacheMs);
    },
  };
}

/** Returns a function that finds the key set. It is looked up when the first token comes. */
function createKeySet(options: JwtOptions & { readonly issuer: string }) {
  const { rotationMs = 10_000, cacheMs = 600_000 } = options;
  const read = options.fetch ?? fetch;
  let keys: Promise<JWTVerifyGetKey> | undefined;
  const open = async (): Promise<JWTVerifyGetKey> => {
    const url = options.jwksUrl ?? (await discover(options.issuer, read));
    return createRemoteJWKSet(new URL(url), {
      [customFetch]: read,
      timeoutDuration: fetchTimeoutMs,
      cooldownDuration: rotationMs,
      cacheMaxAge: cacheMs,
    });
  };
  return (): Promise<JWTVerifyGetKey> => {
    keys ??= open().catch((cause: unknown) => {
      keys = undefined;
      throw unavailable(cause);
    });
    return keys;
  };
}

/** Reads the address of the key set from the issuer's configuration. */
async function discover(issuer: string, read: KeyFetch): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await read(url, {
    method: 'GET',
    headers: new Headers({ accept: 'application/json' }),
    redirect: 'manual',
    signal: AbortSignal.timeout(fetchTimeoutMs),
  });
  const body: unknown = response.status === 200 ? await response.json() : undefined;
  // The configuration of another issuer would bring the keys of another issuer.
  if (isJsonObject(body) && body.issuer === issuer && typeof body.jwks_uri === 'string') {
    return body.jwks_uri;
  }
  throw new Error(`${url} is not the configuration of the issuer (status ${response.status})`);
}

/** Distinguishes a bad token from keys that cannot be read: clients try again after the latter. */
function toRefusal(error: unknown): never {
  const isKeySetFault =
    !(error instanceof errors.JOSEError) ||
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    error.code === 'ERR_JOSE_GENERIC';
  throw isKeySetFault ? unavailable(error) : unauthorized();
}

function unavailable(cause: unknown): PlatformError {
  const message = 'the keys of the token issuer cannot be read';
  return new PlatformError('IDENTITY_PROVIDER_UNAVAILABLE', message, { cause });
}

function tokenOf(headers: AuthHeaders): string {
  const token = findJwt(headers);
  if (token === undefined) throw unauthorized();
  return token;
}

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

function toList(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value;
}

/** True if one of the values of a claim is allowed. Without a list any is. */
function isOneOf(allowed: readonly string[] | undefined, claim: unknown): boolean {
  if (allowed === undefined) return true;
  const values: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return values.some((value) => typeof value === 'string' && allowed.includes(value));
}

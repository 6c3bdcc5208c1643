/*
 * OpenID Connect, authorization code flow with PKCE.
 *
 * openid-client runs the flow: discovery, the request, `state` and `iss` of the answer, the exchange
 * of the code, and the claims `iss`, `aud`, `exp`, `nbf` and `nonce` of the ID token. It does not
 * check the token's signature, because the token came over TLS. Here it is checked all the same, by
 * jose, with the keys that the provider publishes: a proxy that sees the traffic can forge nothing.
 */

import { createRemoteJWKSet, customFetch as jwksFetch, jwtVerify, type RemoteJWKSet } from 'jose';
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  calculatePKCECodeChallenge,
  clockTolerance,
  customFetch,
  discovery,
  fetchUserInfo,
  None,
} from 'openid-client';
import { type Claims, type Identity, toIdentity } from './identity.js';
import {
  createProviderFetch,
  type ProviderFetch,
  type ProviderHttp,
  providerUnavailable,
} from './provider-http.js';
import { readClaim } from './role-mapping.js';
import { describeError, findPlatformError, signInFailed, toSignInError } from './sign-in-error.js';

/** Only asymmetric ones: with `HS256`, whoever knows a public key or the secret could sign. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** Accepted difference between the provider's clock and this one, in seconds. */
const clockToleranceSeconds = 30;
/** Age at which the provider's configuration is read again, in ms. */
const metadataMaxAgeMs = 3_600_000;
/** Pause after a failed discovery, in ms: a provider that is down is not asked for every sign-in. */
const discoveryPauseMs = 1_000;
/**
 * Shortest time between two fetches of the keys because of an unknown key, in ms. Only the provider's
 * own answer can cause one, so it may be short: a provider that changes its keys at once is served.
 */
const keysCooldownMs = 1_000;
export interface IdentityProviderOptions {
  /** URL of the provider, exactly as in its tokens. `http` is for loopback only. */
  readonly issuer: string;
  readonly clientId: string;
  /** Default: none, for a public client. */
  readonly clientSecret?: string | undefined;
  /** Scopes that are asked for. Must include `openid`. */
  readonly scopes: readonly string[];
  /** Claim that holds the roles; `readClaim` says how it is found. */
  readonly rolesClaim: string;
  /** URL of this platform that the provider sends people back to. */
  readonly redirectUri: string;
  readonly http: ProviderHttp;
  /** Returns the time in ms of a clock that only goes forward. Default `performance.now`. */
  readonly now?: () => number;
}

/** Secrets of one sign-in, which its browser keeps in a sealed cookie. */
export interface SignInSecrets {
  readonly state: string;
  readonly nonce: string;
  /** Code verifier of PKCE. */
  readonly verifier: string;
}

interface Provider {
  readonly client: Configuration;
  readonly keys: RemoteJWKSet;
  readonly readAt: number;
}

/** The configured provider. Its configuration and keys are fetched at first use, and kept. */
export class IdentityProvider {
  readonly #options: IdentityProviderOptions;
  readonly #fetch: ProviderFetch;
  readonly #now: () => number;
  #provider: Provider | undefined;
  #discovery: Promise<Provider> | undefined;
  #failure: { readonly error: unknown; readonly until: number } | undefined;

  constructor(options: IdentityProviderOptions) {
    this.#options = options;
    this.#fetch = createProviderFetch(options.http);
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Returns the URL at the provider where somebody signs in.
   * @throws PlatformError `IDENTITY_PROVIDER_UNAVAILABLE`
   */
  async signInUrl({ state, nonce, verifier }: SignInSecrets): Promise<string> {
    const { client } = await this.#get();
    const { scopes, redirectUri } = this.#options;
    return buildAuthorizationUrl(client, {
      redirect_uri: redirectUri,
      scope: scopes.join(' '),
      state,
      nonce,
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }).href;
  }

  /**
   * Exchanges the code of an answer and returns the person. `query` is the query of the URL that the
   * provider sent the browser to.
   * @throws PlatformError `SIGN_IN_FAILED`, `IDENTITY_PROVIDER_UNAVAILABLE`
   */
  async identify(query: string, { state, nonce, verifier }: SignInSecrets): Promise<Identity> {
    const provider = await this.#get();
    const url = new URL(this.#options.redirectUri);
    url.search = query;
    try {
      const answer = await authorizationCodeGrant(provider.client, url, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const claims = await this.#verify(provider, answer.id_token ?? '');
      return await this.#toIdentity(provider, claims, answer.access_token);
    } catch (error) {
      throw toSignInError(error);
    }
  }

  /** Checks the signature and, once more, the claims of an ID token. */
  async #verify({ client, keys }: Provider, idToken: string): Promise<Claims> {
    const { clientId } = this.#options;
    const { payload }: { payload: Claims } = await jwtVerify(idToken, keys, {
      algorithms,
      issuer: client.serverMetadata().issuer,
      audience: clientId,
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['sub', 'iat', 'exp', 'nonce'],
    });
    if (payload.azp !== undefined && payload.azp !== clientId) {
      throw signInFailed('its token was issued to another client (azp)');
    }
    return payload;
  }

  async #toIdentity(provider: Provider, claims: Claims, accessToken: string): Promise<Identity> {
    const { rolesClaim } = this.#options;
    const { subject } = toIdentity(claims, rolesClaim);
    let all = claims;
    const { userinfo_endpoint: endpoint } = provider.client.serverMetadata();
    // A provider may keep all but the required claims for this endpoint (OpenID Connect Core, 5.4).
    if (endpoint !== undefined && readClaim(claims, rolesClaim) === undefined) {
      all = { ...(await fetchUserInfo(provider.client, accessToken, subject)), ...claims };
    }
    return toIdentity(all, rolesClaim);
  }

  /** Returns the provider's configuration, at most an hour old, unless it cannot be read again. */
  async #get(): Promise<Provider> {
    const known = this.#provider;
    const now = this.#now();
    if (known !== undefined && now - known.readAt < metadataMaxAgeMs) return known;
    if (this.#failure === undefined || this.#failure.until <= now) {
      try {
        this.#discovery ??= this.#discover().finally(() => {
          this.#discovery = undefined;
        });
        return await this.#discovery;
      } catch (error) {
        this.#failure = { error, until: this.#now() + discoveryPauseMs };
      }
    }
    if (known !== undefined) return known;
    throw this.#failure.error;
  }

  async #discover(): Promise<Provider> {
    const { issuer, clientId, clientSecret } = this.#options;
    try {
      const client = await discovery(
        new URL(issuer),
        clientId,
        { [clockTolerance]: clockToleranceSeconds },
        clientSecret === undefined ? None() : authenticateBySecret(clientSecret),
        {
          [customFetch]: this.#fetch,
          execute: issuer.startsWith('http:') ? [allowInsecureRequests] : [],
        },
      );
      const { jwks_uri: jwksUri } = client.serverMetadata();
      if (jwksUri === undefined) throw providerUnavailable('its configuration has no jwks_uri');
      // Whoever could change the keys on their way could sign anything.
      if (issuer.startsWith('https:') && !jwksUri.startsWith('https:')) {
        throw providerUnavailable('its jwks_uri is not https');
      }
      const keys = createRemoteJWKSet(new URL(jwksUri), {
        [jwksFetch]: this.#fetch,
        cooldownDuration: keysCooldownMs,
      });
      this.#provider = { client, keys, readAt: this.#now() };
      return this.#provider;
    } catch (error) {
      throw findPlatformError(error) ?? providerUnavailable(describeError(error), error);
    }
  }
}

/** Sends the secret in the way that the provider supports: in a header, unless it says otherwise. */
function authenticateBySecret(secret: string): ClientAuth {
  const byHeader = ClientSecretBasic(secret);
  const inBody = ClientSecretPost(secret);
  return (...parts) => {
    const [{ token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] }] = parts;
    return (methods.includes('client_secret_basic') ? byHeader : inBody)(...parts);
  };
}

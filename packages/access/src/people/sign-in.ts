import { newId, PlatformError } from '@posthaste/contracts';
import { EncryptJWT, jwtDecrypt } from 'jose';
import { randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client';
import { deriveKey } from '../derived-key.js';
import type { Grant } from '../roles.js';
import type { Identity } from './identity.js';
import type { IdentityProvider, SignInSecrets } from './identity-provider.js';
import { toLocalPath } from './local-path.js';
import { grantsOf, type RoleRule } from './role-mapping.js';
import type { CreatedSession, Sessions } from './sessions.js';
import { signInFailed } from './sign-in-error.js';

/** Time in which somebody must sign in at the provider, in seconds. */
export const signInSeconds = 600;

export interface SignInOptions {
  readonly provider: Pick<IdentityProvider, 'signInUrl' | 'identify'>;
  readonly sessions: Pick<Sessions, 'createForPerson'>;
  readonly rules: readonly RoleRule[];
  /** Secret key of the platform, the same in all processes. */
  readonly secretKey: Uint8Array;
}

export interface BegunSignIn {
  /** URL at the provider to send the browser to. */
  readonly url: string;
  /** Value of a cookie that the browser must send back with the provider's answer. */
  readonly cookie: string;
}

/** Sign-in of a person whom the provider has identified, and who has a role here. */
export interface FinishedSignIn {
  /** Id of the sign-in: it makes one session. */
  readonly id: string;
  readonly identity: Identity;
  readonly grants: readonly Grant[];
  /** Local path to go to. */
  readonly returnTo: string;
}

/**
 * Sign-in of people at the identity provider. What belongs to one sign-in is in a cookie of its
 * browser, sealed, and nothing is stored: nobody fills a table by asking for sign-ins. An answer of
 * the provider is accepted only with the cookie of the browser in which the sign-in began.
 */
export class SignIn {
  readonly #options: SignInOptions;
  readonly #key: Buffer;

  constructor(options: SignInOptions) {
    this.#options = options;
    this.#key = deriveKey(options.secretKey, 'sign-in cookies');
  }

  /**
   * Begins a sign-in that leads to a local path in the end. Any other path becomes `/`.
   * @throws PlatformError `IDENTITY_PROVIDER_UNAVAILABLE`
   */
  async begin(returnTo: string): Promise<BegunSignIn> {
    const secrets = {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
    };
    const url = await this.#options.provider.signInUrl(secrets);
    const cookie = await new EncryptJWT({ ...secrets, returnTo: toLocalPath(returnTo) ?? '/' })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setJti(newId())
      .setExpirationTime(`${signInSeconds}s`)
      .encrypt(this.#key);
    return { url, cookie };
  }

  /**
   * Ends a sign-in with the provider's answer. `query` is that of the URL that the provider sent the
   * browser to; `cookie` is the one of `begin`. Nothing is stored yet: `createSession` does that.
   * @throws PlatformError `SIGN_IN_FAILED`, `SIGN_IN_FORBIDDEN`, `IDENTITY_PROVIDER_UNAVAILABLE`
   */
  async finish(query: string, cookie: string | undefined): Promise<FinishedSignIn> {
    const { id, secrets, returnTo } = await this.#open(cookie);
    const identity = await this.#options.provider.identify(query, secrets);
    const grants = grantsOf(identity.roles, this.#options.rules);
    if (grants.length === 0) {
      throw new PlatformError(
        'SIGN_IN_FORBIDDEN',
        `'${identity.name}' has no role here; ask an administrator for one`,
      );
    }
    return { id, identity, grants, returnTo };
  }

  /**
   * Creates the session of a finished sign-in. It asks nobody but the database, so that it can be part
   * of a transaction.
   * @throws PlatformError `SIGN_IN_FAILED` if the sign-in already has one; `DATABASE_*`
   */
  createSession({ id, identity, grants }: FinishedSignIn): Promise<CreatedSession> {
    return this.#options.sessions.createForPerson(identity, { grants, signInId: id });
  }

  /** @throws PlatformError `SIGN_IN_FAILED` */
  async #open(
    cookie: string | undefined,
  ): Promise<{ id: string; secrets: SignInSecrets; returnTo: string }> {
    if (cookie === undefined) throw signInFailed('this browser has not begun it');
    try {
      const { payload } = await jwtDecrypt(cookie, this.#key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        requiredClaims: ['exp', 'jti'],
      });
      const { state, nonce, verifier, returnTo } = payload as unknown as SignInSecrets & {
        readonly returnTo: string;
      };
      return { id: String(payload.jti), secrets: { state, nonce, verifier }, returnTo };
    } catch (cause) {
      throw signInFailed('it took too long, or its cookie is not of this platform', cause);
    }
  }
}

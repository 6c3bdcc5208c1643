import type { AuthMode, Authorizer, AuthRequest, Identity } from '../auth/authorizer.js';
import { RealtimeError } from '../protocol/realtime-error.js';
import { andThen } from './and-then.js';

/** Identity that connections and subscriptions of this node use. */
export class CredentialInUse {
  /** Connections and subscriptions that use it. */
  holders = 0;
  readonly #expiresAt: number;
  #isRevoked = false;

  constructor(
    readonly identity: Identity,
    private readonly authorizer: Authorizer,
  ) {
    this.#expiresAt = identity.expiresAt ?? Number.POSITIVE_INFINITY;
  }

  /** True until the credential expires or is found to be revoked. */
  isUsable(now: number): boolean {
    return now < this.#expiresAt && !this.#isRevoked;
  }

  /** Asks the authorizer, and returns as `isUsable` does. A revoked credential stays so. */
  check(now: number): boolean {
    if (this.authorizer.isValid?.(this.identity) === false) this.#isRevoked = true;
    return this.isUsable(now);
  }
}

/** Authorizers of a server, and the credentials that its connections use. */
export class Credentials {
  readonly #inUse = new Map<Identity, CredentialInUse>();

  constructor(private readonly authorizers: readonly Authorizer[]) {}

  /** Returns the credential. @throws RealtimeError `UnauthorizedException` */
  authorize(request: AuthRequest): CredentialInUse | Promise<CredentialInUse> {
    const authorizer = this.authorizers.find((each) => each.accepts(request.headers));
    if (authorizer === undefined) throw unauthorized();
    return andThen(authorizer.authorize(request), (identity) => {
      const credential = this.#inUse.get(identity) ?? new CredentialInUse(identity, authorizer);
      if (!credential.isUsable(Date.now())) throw unauthorized();
      return credential;
    });
  }

  /** Begins a use, which ends with `release`. Returns the object that all users share. */
  hold(credential: CredentialInUse): CredentialInUse {
    const shared = this.#inUse.get(credential.identity) ?? credential;
    if (shared.holders === 0) this.#inUse.set(shared.identity, shared);
    shared.holders += 1;
    return shared;
  }

  release(credential: CredentialInUse): void {
    credential.holders -= 1;
    if (credential.holders === 0) this.#inUse.delete(credential.identity);
  }

  /** Checks every credential in use once. Returns true if one of them is no longer usable. */
  checkAll(now: number): boolean {
    let areUsable = true;
    for (const credential of this.#inUse.values()) {
      if (!credential.check(now)) areUsable = false;
    }
    return !areUsable;
  }
}

/** Returns the refusal of bad credentials. */
export function unauthorized(): RealtimeError {
  return new RealtimeError(
    'UnauthorizedException',
    401,
    'You are not authorized to make this call.',
  );
}

/** Returns the refusal of a valid credential that may not do this. */
export function forbidden(): RealtimeError {
  return new RealtimeError(
    'UnauthorizedException',
    403,
    'The credential does not allow this operation.',
  );
}

/** True if the mode is among the allowed ones; all are allowed if none are named. */
export function allowsMode(modes: readonly AuthMode[] | undefined, mode: AuthMode): boolean {
  return modes === undefined || modes.includes(mode);
}

import { unauthorized } from '../auth/auth-modes.js';
import type { AuthMode, Authorizer, AuthRequest, Identity } from '../auth/authorizer.js';
import { RealtimeError } from '../protocol/realtime-error.js';

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

  /**
   * Returns the credential. The first authorizer that accepts the headers decides about the mode;
   * others of the same mode are asked if it does not know the credential.
   * @throws RealtimeError `UnauthorizedException`
   */
  authorize(request: AuthRequest): CredentialInUse | Promise<CredentialInUse> {
    const accepting = this.authorizers.filter((each) => each.accepts(request.headers));
    return authorizeBy(
      accepting.filter(({ mode }) => mode === accepting[0]?.mode),
      request,
      (identity, authorizer) => this.#toCredential(identity, authorizer),
    );
  }

  #toCredential(identity: Identity, authorizer: Authorizer): CredentialInUse {
    const credential = this.#inUse.get(identity) ?? new CredentialInUse(identity, authorizer);
    if (!credential.isUsable(Date.now())) throw unauthorized();
    return credential;
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

function authorizeBy(
  [first, ...others]: readonly Authorizer[],
  request: AuthRequest,
  accept: (identity: Identity, authorizer: Authorizer) => CredentialInUse,
): CredentialInUse | Promise<CredentialInUse> {
  if (first === undefined) throw unauthorized();
  const orNext = (error: unknown): CredentialInUse | Promise<CredentialInUse> => {
    const isUnknown = error instanceof RealtimeError && error.errorCode === 401;
    if (isUnknown && others.length > 0) return authorizeBy(others, request, accept);
    throw error;
  };
  try {
    const found = first.authorize(request);
    if (!(found instanceof Promise)) return accept(found, first);
    return found.then((identity) => accept(identity, first)).catch(orNext);
  } catch (error) {
    return orNext(error);
  }
}

import { type Authenticator, type Caller, callerFor, mayUseChannel } from '@posthaste/access';
import type { ChannelPath, Identity } from '@posthaste/appsync-server';
import { includesApplication, PlatformError } from '@posthaste/contracts';

/** Time after which a credential starts nothing new that could not be checked, in ms. */
const trustMs = 10_000;

/** API key or token of the platform that an identity stands for. */
export interface PlatformCredential {
  readonly text: string;
  readonly authenticator: Authenticator;
  readonly caller: Caller;
  /** The one application that it is used for. */
  readonly application: string;
}

/** Principal with an API key or a token of the platform, in one application. */
export class PlatformIdentity implements Identity {
  readonly mode = 'API_KEY';
  readonly id: string;
  readonly realm: string;
  readonly expiresAt: number | undefined;
  readonly #credential: PlatformCredential;
  readonly #rights: string;
  #lookedUpAt = performance.now();
  #isLookingUp = false;
  #hasEnded = false;

  constructor(credential: PlatformCredential) {
    const { caller, application } = credential;
    this.id = caller.id;
    this.realm = application;
    this.expiresAt = caller.expiresAt?.getTime();
    this.#credential = credential;
    this.#rights = rightsOf(caller);
  }

  get caller(): Caller {
    return this.#credential.caller;
  }

  /** @throws PlatformError `DATABASE_UNAVAILABLE` if the credential could not be checked lately */
  mayUse(operation: 'subscribe' | 'publish', channel: ChannelPath): boolean {
    const caller = callerFor(this.caller, `realtime:${operation}`);
    return (
      this.#isAsBefore() &&
      includesApplication(caller.applications, this.realm) &&
      mayUseChannel(caller, operation, channel.path)
    );
  }

  /**
   * True while the credential is neither revoked nor changed, as far as this process knows: also while
   * it cannot be checked, because the database is away. Looks up one that was pushed out of memory.
   */
  isValid(): boolean {
    const { authenticator, text } = this.#credential;
    const found = authenticator.findCached(text);
    if (found !== undefined) {
      if (!this.#isSame(found)) this.#hasEnded = true;
    } else if (authenticator.hasEnded(text)) this.#hasEnded = true;
    else if (!this.#hasEnded) void this.#lookUp();
    return !this.#hasEnded;
  }

  /**
   * True if the credential has not ended or changed.
   * @throws PlatformError `DATABASE_UNAVAILABLE` if it was not checked lately: not a refusal, after
   *   which clients would give the credential up
   */
  #isAsBefore(): boolean {
    const { authenticator, text } = this.#credential;
    if (this.#hasEnded) return false;
    const found = authenticator.findCached(text);
    if (found !== undefined) return this.#isSame(found);
    if (authenticator.hasEnded(text)) return false;
    if (performance.now() - this.#lookedUpAt < trustMs) return true;
    const message = 'the credential cannot be checked now; try again';
    throw new PlatformError('DATABASE_UNAVAILABLE', message);
  }

  async #lookUp(): Promise<void> {
    if (this.#isLookingUp) return;
    this.#isLookingUp = true;
    const { authenticator, text } = this.#credential;
    try {
      const found = await authenticator.authenticate(text);
      this.#lookedUpAt = performance.now();
      if (!this.#isSame(found)) this.#hasEnded = true;
    } catch (error) {
      // Only a clear refusal ends it, not a database that is away.
      if (error instanceof PlatformError && error.type === 'unauthorized') this.#hasEnded = true;
    } finally {
      this.#isLookingUp = false;
    }
  }

  #isSame(caller: Caller): boolean {
    return caller === this.caller || rightsOf(caller) === this.#rights;
  }
}

function rightsOf({ applications, scopes, channels, rights, makerRights }: Caller): string {
  return JSON.stringify([applications, scopes, channels, rights, makerRights]);
}

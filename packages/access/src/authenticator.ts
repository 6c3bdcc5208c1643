import type { Caller } from './caller.js';

/**
 * Check of one kind of credentials: API keys (`phk_…`), tokens (`pht_…`), or the cookies of
 * sessions. `CredentialCache` implements it for credentials that are kept in a table.
 */
export interface Authenticator {
  /**
   * Returns the caller of a credential if it is in memory and was checked lately. Nearly every
   * request goes this way: it needs no promise and never asks the database.
   */
  findCached(credential: string): Caller | undefined;
  /**
   * Returns the caller of a credential, from memory or from the database.
   * @throws PlatformError with a code of the type `unauthorized` (`KEY_INVALID`, for example) when it
   *   is unknown, revoked or expired; `DATABASE_*` when it cannot be looked up
   */
  authenticate(credential: string): Promise<Caller>;
  /**
   * True if a credential in use was found lately to be revoked or changed: a connection that stays
   * open under it is closed. Any other that is not in memory was pushed out, or cannot be checked.
   */
  hasEnded(credential: string): boolean;
}

/** Authenticator of sessions, whose credential is the value of a cookie. */
export interface SessionAuthenticator extends Authenticator {
  /** Name of the cookie. */
  readonly cookieName: string;
}

/** Authenticators of an API, by the kind of credential. */
export interface Authenticators {
  /** Of `Authorization: Bearer phk_…`, and of every other bearer credential. */
  readonly keys: Authenticator;
  /** Of `Authorization: Bearer pht_…`. Default: such credentials are refused as unknown keys. */
  readonly tokens?: Authenticator | undefined;
  /** Of the cookie of a session. Default: cookies are ignored. */
  readonly sessions?: SessionAuthenticator | undefined;
}

/** Beginning of tokens, which tells them from API keys. */
export const tokenPrefix = 'pht_';

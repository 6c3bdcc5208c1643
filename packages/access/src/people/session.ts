import type { Rights } from '../rights.js';
import type { Grant } from '../roles.js';

/** Session, without its secret. */
export interface Session {
  readonly id: string;
  /** Issuer of the person's identity; `null` for the session of an API key. */
  readonly issuer: string | null;
  /** Id of the person at the issuer, or the id of the API key. */
  readonly subject: string;
  readonly name: string;
  readonly email: string | null;
  /** Roles of a person; empty for the session of an API key, whose rights it has. */
  readonly grants: readonly Grant[];
  readonly createdAt: Date;
  /** Time of the last use, to the minute. */
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
}

export interface NewSession {
  readonly id: string;
  readonly secretHash: Buffer;
  /** Id of the sign-in; no second session can have the same. `null` for the session of a key. */
  readonly signInId: string | null;
  readonly issuer: string | null;
  readonly subject: string;
  /** Id of the API key, for the session of one. */
  readonly apiKeyId: string | null;
  readonly name: string;
  readonly email: string | null;
  readonly grants: readonly Grant[];
  readonly lengthMs: number;
}

/** Session that has not ended, with what is needed to check it. */
export interface UsableSession extends Session {
  readonly secretHash: Buffer;
  /** Rights of the API key, for the session of one; `null` for a person. */
  readonly key: (Rights & { readonly id: string }) | null;
  /** Milliseconds until it ends, by the database's clock. */
  readonly remainingMs: number;
  /** True if its last use should be written. */
  readonly isUseDue: boolean;
}

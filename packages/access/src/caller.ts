import type { Applications } from '@posthaste/contracts';
import type { Scope } from './scopes.js';

/**
 * Somebody who sends a request.
 *
 * - `key`: a program with an API key.
 * - `person`: somebody who has signed in.
 * - `token`: a browser or a portal with a short-lived token.
 * - `anonymous`: anybody, on a public route.
 * - `local`: anybody on this machine, on a server that needs no key.
 */
export interface Caller {
  readonly kind: 'key' | 'person' | 'token' | 'local' | 'anonymous';
  /** Id of the key, the session or the token; `local` or `anonymous` without one. */
  readonly id: string;
  /** Name for people. */
  readonly name: string;
  /** Applications whose things the caller may see. */
  readonly applications: Applications;
  readonly scopes: readonly Scope[];
  /** End of what the caller may do: keys that it creates end then at the latest. `null` is never. */
  readonly expiresAt: Date | null;
}

/** Somebody who has shown no credential yet, or none that is needed: on a public route. */
export const anonymousCaller: Caller = {
  kind: 'anonymous',
  id: 'anonymous',
  name: 'anonymous',
  applications: [],
  scopes: [],
  expiresAt: null,
};

/** Caller without a credential on a server that needs none. */
export const localCaller: Caller = {
  kind: 'local',
  id: 'local',
  name: 'local',
  applications: 'all',
  scopes: ['admin'],
  expiresAt: null,
};

import type { Applications } from '@posthaste/contracts';
import { findMissingScope, narrowRights, type Rights } from './rights.js';
import type { Scope } from './scopes.js';

/**
 * Somebody who sends a request.
 *
 * - `key`: a program with an API key.
 * - `person`: somebody who has signed in, at the identity provider or with an API key.
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
  /** Realtime channels that the caller may use, with the scopes of realtime. Default: all. */
  readonly channels?: readonly string[] | null;
  /** End of what the caller may do: keys that it creates end then at the latest. `null` is never. */
  readonly expiresAt: Date | null;
  /**
   * Rights of a caller whose scopes differ from application to application; `callerFor` applies
   * them. Default: `scopes` in `applications`.
   */
  readonly rights?: readonly Rights[];
  /** Key or session that made a token. */
  readonly parent?: TokenParent;
  /**
   * Rights of the maker of a token, in the applications of the token. Only for a token that names
   * realtime channels: its maker may show in them what it may read itself.
   */
  readonly makerRights?: readonly Rights[];
  /**
   * Key or person whose limits the caller shares. Without it, a key would have its limits again with
   * each token and session that it makes. Default: `id`.
   */
  readonly countedAs?: string;
}

/** Maker of a short-lived token, with which the token ends. `local`: nobody who showed a credential. */
export interface TokenParent {
  readonly kind: 'key' | 'session' | 'local';
  /** Id of the key or session; `local` for `local`. */
  readonly id: string;
}

/**
 * Returns the caller as a route sees them that needs this scope: `applications` are those in which
 * they have it.
 */
export function callerFor(caller: Caller, scope: Scope): Caller {
  if (caller.rights === undefined || caller.rights.length < 2) return caller;
  const narrowed = narrowRights(caller.rights, scope);
  // Without the scope anywhere, the caller stays as they are, for the text of the refusal.
  return narrowed.scopes.length === 0 ? caller : { ...caller, ...narrowed };
}

/** True if the caller has all these scopes in each of these applications. */
export function canUse(caller: Caller, wanted: Rights): boolean {
  return findMissingScope(caller.rights ?? [caller], wanted) === undefined;
}

/**
 * True if realtime channels of the platform may show the caller what these rights let others read: it
 * has the rights, or the maker of a token that names its channels has them.
 */
export function mayBeShown(caller: Caller, wanted: Rights): boolean {
  const { makerRights } = caller;
  if (canUse(caller, wanted)) return true;
  return makerRights !== undefined && findMissingScope(makerRights, wanted) === undefined;
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

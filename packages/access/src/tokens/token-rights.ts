import { type Applications, coversApplications, PlatformError } from '@posthaste/contracts';
import type { Caller, TokenParent } from '../caller.js';
import { type Channels, commonChannels, coversChannels } from '../channels.js';
import { findMissingScope, limitRights, narrowRights, type Rights } from '../rights.js';
import type { Scope } from '../scopes.js';
import type { TokenPayload } from './token-format.js';

export interface TokenRequest {
  readonly name: string;
  readonly applications: Applications;
  readonly scopes: readonly Scope[];
  /** Realtime channels that it may use. Default: those of its maker. */
  readonly channels?: Channels | undefined;
  /** From 1 to `maxTokenSeconds`. */
  readonly expiresInSeconds: number;
}

/** Rights of the maker of a token. */
export interface ParentRights {
  readonly rights: readonly Rights[];
  readonly channels?: Channels | undefined;
  readonly countedAs: string;
  readonly remainingMs: number | null;
}

/** Returns who makes tokens for a caller. @throws PlatformError `TOKEN_PARENT_INVALID` */
export function parentOf({ kind, id }: Caller): TokenParent {
  if (kind === 'person') return { kind: 'session', id };
  if (kind === 'key' || kind === 'local') return { kind, id };
  throw new PlatformError(
    'TOKEN_PARENT_INVALID',
    'a token makes no tokens and no sessions; use the key or the session that made it',
  );
}

/** Checks that a token has no more than its maker. @throws PlatformError `SCOPE_MISSING`, `APPLICATION_FORBIDDEN`, `CHANNEL_FORBIDDEN` */
export function checkWithin(caller: Caller, request: TokenRequest): void {
  const held = caller.rights ?? [caller];
  const all = narrowRights(held);
  if (!coversApplications(all.applications, request.applications)) {
    throw new PlatformError(
      'APPLICATION_FORBIDDEN',
      'the token would have applications that its maker may not use; name others',
    );
  }
  const { channels: heldChannels = null } = caller;
  if (!coversChannels(heldChannels, request.channels ?? heldChannels)) {
    throw new PlatformError(
      'CHANNEL_FORBIDDEN',
      'the token would have realtime channels that its maker may not use; name others',
      { details: { held: heldChannels } },
    );
  }
  const missing = findMissingScope(held, request);
  if (missing === undefined) return;
  throw new PlatformError(
    'SCOPE_MISSING',
    `the token would have the scope ${missing}, which its maker lacks in one of its applications`,
    { details: { needed: missing, held: all.scopes } },
  );
}

/**
 * Returns the caller of a token, with the part of its rights that its maker still has; undefined if
 * nothing is left.
 */
export function toCaller(payload: TokenPayload, maker: ParentRights): Caller | undefined {
  const rights = limitRights(maker.rights, payload);
  if (rights.length === 0) return undefined;
  const { id, name, parent } = payload;
  const expiresAt = new Date(payload.expiresAt * 1_000);
  const { countedAs } = maker;
  const named = payload.channels ?? null;
  const channels = commonChannels(maker.channels ?? null, named);
  const everything = { applications: payload.applications, scopes: ['admin'] as const };
  return {
    ...{ kind: 'token', id, name, parent, countedAs, expiresAt, rights },
    ...narrowRights(rights),
    ...(channels === null ? {} : { channels }),
    ...(named === null ? {} : { makerRights: limitRights(maker.rights, everything) }),
  };
}

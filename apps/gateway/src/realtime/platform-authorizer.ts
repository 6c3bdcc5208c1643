/*
 * Credentials of the platform on realtime channels: API keys and short-lived tokens, as `x-api-key` or
 * as `Authorization`, with or without `Bearer`.
 *
 * - The realm of a connection is an application of the caller. One with several names it in the header
 *   `x-posthaste-application`; for a caller for all it is POSTHASTE_DEFAULT_APPLICATION without.
 * - A server on loopback needs no credential. Clients of AWS always send a key, so one of another form
 *   counts as none there.
 * - A key or token that is revoked, or whose rights change, ends its connections within a second.
 *   While the database is away, connections stay, and a key that was not checked for ten seconds
 *   starts nothing new.
 */

import {
  type Authenticator,
  type Authenticators,
  type Caller,
  callerFor,
  localCaller,
  mayUseChannel,
  tokenPrefix,
} from '@posthaste/access';
import { type Authorizer, type Identity, RealtimeError } from '@posthaste/appsync-server';
import { includesApplication, onlyApplication, PlatformError } from '@posthaste/contracts';

/** Options of `createPlatformAuthorizer`. */
export interface PlatformAuthorizerOptions {
  readonly access: 'loopback' | 'keys';
  readonly authenticators: Pick<Authenticators, 'keys' | 'tokens'>;
  readonly defaultApplication: string;
  /** True if the application is being deleted. */
  readonly isDeleting: (application: string) => boolean;
}

const applicationHeader = 'x-posthaste-application';
const keyPrefix = 'phk_';

/** Credential of an identity, to check it again. */
interface Known {
  readonly caller: Caller;
  readonly credential: string;
  readonly authenticator: Authenticator | undefined;
  isRevoked: boolean;
  isAsking: boolean;
}

/** Creates the authorizer of API keys and tokens of the platform. */
export function createPlatformAuthorizer(options: PlatformAuthorizerOptions): Authorizer {
  const identities = new WeakMap<Caller, Map<string, Identity>>();
  const known = new WeakMap<Identity, Known>();

  function toIdentity(found: Omit<Known, 'isRevoked' | 'isAsking'>, realm: string): Identity {
    const { caller } = found;
    const ofCaller = identities.get(caller) ?? new Map<string, Identity>();
    identities.set(caller, ofCaller);
    const earlier = ofCaller.get(realm);
    if (earlier) return earlier;
    const state: Known = { ...found, isRevoked: false, isAsking: false };
    const identity: Identity = {
      ...{ mode: 'API_KEY', id: caller.id, realm },
      ...(caller.expiresAt === null ? {} : { expiresAt: caller.expiresAt.getTime() }),
      mayUse(operation, channel) {
        if (!isTrusted(state) || options.isDeleting(realm)) return false;
        const narrowed = callerFor(caller, `realtime:${operation}`);
        return (
          includesApplication(narrowed.applications, realm) &&
          mayUseChannel(narrowed, operation, channel.path)
        );
      },
    };
    ofCaller.set(realm, identity);
    known.set(identity, state);
    return identity;
  }

  return {
    mode: 'API_KEY',
    accepts: (headers) =>
      options.access === 'loopback' ||
      headers['x-api-key'] !== undefined ||
      isOurs(toCredential(headers)),
    authorize({ headers }) {
      const credential = toCredential(headers);
      const realmOf = (caller: Caller) => toRealm(caller, headers[applicationHeader], options);
      if (!isOurs(credential)) {
        if (options.access !== 'loopback') throw refused();
        const found = { caller: localCaller, credential, authenticator: undefined };
        return toIdentity(found, realmOf(localCaller));
      }
      const { keys, tokens = keys } = options.authenticators;
      const authenticator = credential.startsWith(tokenPrefix) ? tokens : keys;
      const accept = (caller: Caller): Identity =>
        toIdentity({ caller, credential, authenticator }, realmOf(caller));
      const cached = authenticator.findCached(credential);
      return cached
        ? accept(cached)
        : authenticator.authenticate(credential).then(accept, toRefusal);
    },
    isValid(identity) {
      const state = known.get(identity);
      if (state === undefined || state.authenticator === undefined) return true;
      if (!isTrusted(state)) askAgain(state);
      return !state.isRevoked && !options.isDeleting(identity.realm);
    },
  };
}

/** True if the credential was checked lately, and may do what it could when the connection began. */
function isTrusted(state: Known): boolean {
  const { authenticator, credential, caller } = state;
  if (authenticator === undefined) return true;
  const now = authenticator.findCached(credential);
  // What a token may do changes with the rights of its maker.
  if (now !== undefined && now !== caller && toRights(now) !== toRights(caller)) {
    state.isRevoked = true;
  }
  return !state.isRevoked && now !== undefined;
}

function toRights({ applications, scopes, channels, rights }: Caller): string {
  return JSON.stringify([applications, scopes, channels, rights]);
}

/** Looks the credential up; only a clear refusal ends it, not a database that is away. */
function askAgain(state: Known): void {
  if (state.isAsking || state.authenticator === undefined) return;
  state.isAsking = true;
  state.authenticator
    .authenticate(state.credential)
    .catch((error: unknown) => {
      if (error instanceof PlatformError && error.type === 'unauthorized') state.isRevoked = true;
    })
    .finally(() => {
      state.isAsking = false;
    });
}

function isOurs(credential: string): boolean {
  return credential.startsWith(keyPrefix) || credential.startsWith(tokenPrefix);
}

function toCredential(headers: Readonly<Record<string, string>>): string {
  const text = headers['x-api-key'] ?? headers.authorization ?? '';
  return text.replace(/^bearer +/i, '');
}

/** @throws RealtimeError when the caller may not use the application, or has to name one */
function toRealm(
  { applications }: Caller,
  named: string | undefined,
  { defaultApplication, isDeleting }: PlatformAuthorizerOptions,
): string {
  const own = applications === 'all' ? defaultApplication : onlyApplication(applications);
  const realm = named ?? own;
  if (realm === undefined) {
    const message = `The credential has several applications: name one as ${applicationHeader}.`;
    throw new RealtimeError('BadRequestException', 400, message);
  }
  if (includesApplication(applications, realm) && !isDeleting(realm)) return realm;
  throw refused();
}

function toRefusal(error: unknown): never {
  if (error instanceof PlatformError && error.type === 'unauthorized') throw refused();
  throw error;
}

function refused(): RealtimeError {
  return new RealtimeError(
    'UnauthorizedException',
    401,
    'You are not authorized to make this call.',
  );
}

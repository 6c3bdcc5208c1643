/*
 * Credentials of the platform in realtime: API keys and short-lived tokens, as `x-api-key` or as
 * `Authorization`, with `Bearer ` or without. The realm of a channel is the application that the
 * credential is used for: its only one, or the one that the header `x-posthaste-application` names.
 *
 * On loopback without keys, anything that is none of these is accepted like no credential at all.
 */

import {
  type Authenticator,
  type Authenticators,
  type Caller,
  localCaller,
  pageScopes,
  tokenPrefix,
} from '@posthaste/access';
import {
  type Authorizer,
  type AuthRequest,
  type Identity,
  RealtimeError,
} from '@posthaste/appsync-server';
import {
  ExpiringCache,
  includesApplication,
  isApplicationName,
  onlyApplication,
  PlatformError,
  Semaphore,
} from '@posthaste/contracts';
import type { ApplicationStates } from '../access/application-access.js';
import { PlatformIdentity } from './platform-identity.js';

/** Options of the authorizers of platform credentials. */
export interface PlatformAuthorizerOptions {
  readonly authenticators: Pick<Authenticators, 'keys' | 'tokens'>;
  readonly states: Pick<ApplicationStates, 'isDeleting' | 'isRegistered' | 'register'>;
  /** Application of callers for all applications that name none. */
  readonly defaultApplication: string;
  /** Counts credentials of a client that nobody knows, by its address. */
  readonly guesses: GuessLimit;
}

/** Limit of unknown credentials from one address. */
export interface GuessLimit {
  /** True if another credential of the address may be looked up now. */
  hasLeft(address: string): boolean;
  /** Counts a credential that was refused. */
  count(address: string): void;
}

type Headers = AuthRequest['headers'];

const applicationHeader = 'x-posthaste-application';
const keyPrefix = 'phk_';
const bearer = /^bearer +/i;
/** Lookups of credentials at the same time: a flood of guesses leaves the database to others. */
const maxLookups = 32;
/** Identities without a credential that are remembered, each for this time in ms. */
const maxLocal = 1_000;
const localMs = 3_600_000;
/** Id of callers without a credential. A principal of an issuer may have it too, in another mode. */
const localIdentityId = 'local';

/** Creates the authorizer of API keys and tokens. On loopback it leaves other texts to the next one. */
export function createPlatformAuthorizer(
  options: PlatformAuthorizerOptions,
  mode: 'loopback' | 'keys',
): Authorizer {
  const credentials = new PlatformCredentials(options);
  const find = mode === 'keys' ? findAnyCredential : findOwnCredential;
  return {
    mode: 'API_KEY',
    accepts: (headers) => find(headers) !== undefined,
    authorize: (request) => credentials.authorize(request, find(request.headers) ?? ''),
    isValid: (identity) => credentials.isValid(identity),
  };
}

/** Creates the authorizer that accepts everything else, for a server that needs no credential. */
export function createLocalAuthorizer({
  states,
  defaultApplication,
}: Pick<PlatformAuthorizerOptions, 'states' | 'defaultApplication'>): Authorizer {
  const identities = new ExpiringCache<Identity>(maxLocal);
  return {
    mode: 'API_KEY',
    // Whoever sends a credential of the platform expects a check.
    accepts: (headers) => findOwnCredential(headers) === undefined,
    authorize({ headers }) {
      const realm = headers[applicationHeader] ?? defaultApplication;
      checkApplication(realm, 'all', states);
      const now = performance.now();
      const identity = identities.get(realm, now) ?? {
        mode: 'API_KEY',
        id: localIdentityId,
        realm,
      };
      identities.set(realm, identity, now + localMs);
      return identity;
    },
    isValid: ({ realm }) => !states.isDeleting(realm),
  };
}

/** Returns the caller of the platform behind an identity; undefined for a principal of an issuer. */
export function callerOf(identity: Identity): Caller | undefined {
  if (identity instanceof PlatformIdentity) return identity.caller;
  return isLocal(identity) ? localCaller : undefined;
}

/** True for a caller without a credential, on a server that needs none. */
export function isLocal({ mode, id }: Identity): boolean {
  return mode === 'API_KEY' && id === localIdentityId;
}

class PlatformCredentials {
  readonly #options: PlatformAuthorizerOptions;
  readonly #lookups = new Semaphore(maxLookups);
  /** One identity for each caller and application. */
  readonly #identities = new WeakMap<Caller, Map<string, PlatformIdentity>>();

  constructor(options: PlatformAuthorizerOptions) {
    this.#options = options;
  }

  authorize(request: AuthRequest, text: string): Identity | Promise<Identity> {
    const { keys, tokens } = this.#options.authenticators;
    const authenticator = tokens !== undefined && text.startsWith(tokenPrefix) ? tokens : keys;
    const toIdentity = (caller: Caller): Identity => {
      checkPage(caller, request);
      const application = this.#findApplication(caller, request.headers);
      return this.#identityOf({ text, authenticator, caller, application });
    };
    const cached = authenticator.findCached(text);
    if (cached !== undefined) return toIdentity(cached);
    return this.#lookUp(authenticator, text, request).then(toIdentity);
  }

  /** Looks a credential up. Of an address that guesses, none is: guesses must not flood the database. */
  async #lookUp(
    authenticator: Authenticator,
    text: string,
    { client }: AuthRequest,
  ): Promise<Caller> {
    const { guesses } = this.#options;
    const address = client?.address ?? '';
    if (!guesses.hasLeft(address)) {
      const message = 'The address has sent too many credentials that nobody knows.';
      throw new RealtimeError('LimitExceededError', 429, message);
    }
    try {
      return await this.#lookups.run(() => authenticator.authenticate(text));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      guesses.count(address);
      throw unauthorized();
    }
  }

  isValid(identity: Identity): boolean {
    if (this.#options.states.isDeleting(identity.realm)) return false;
    return identity instanceof PlatformIdentity && identity.isValid();
  }

  #identityOf(credential: ConstructorParameters<typeof PlatformIdentity>[0]): PlatformIdentity {
    const { caller, application } = credential;
    const known = this.#identities.get(caller) ?? new Map<string, PlatformIdentity>();
    this.#identities.set(caller, known);
    // A caller for all may name any application.
    if (known.size >= maxLocal) known.clear();
    const identity = known.get(application) ?? new PlatformIdentity(credential);
    known.set(application, identity);
    return identity;
  }

  /** @throws RealtimeError */
  #findApplication({ applications }: Caller, headers: Headers): string {
    const named = headers[applicationHeader];
    const { defaultApplication, states } = this.#options;
    const own = applications === 'all' ? defaultApplication : onlyApplication(applications);
    const application = named ?? own;
    if (application === undefined) {
      const message = `The credential has several applications: name one in the header ${applicationHeader}.`;
      throw new RealtimeError('BadRequestException', 400, message);
    }
    checkApplication(application, applications, states);
    return application;
  }
}

/** @throws RealtimeError for an application that the caller may not use now */
function checkApplication(
  application: string,
  held: Caller['applications'],
  states: Pick<ApplicationStates, 'isDeleting'>,
): void {
  if (application !== '' && !isApplicationName(application)) {
    const message = `The header ${applicationHeader} is no name of an application.`;
    throw new RealtimeError('BadRequestException', 400, message);
  }
  if (!includesApplication(held, application)) {
    throw forbidden('The credential is not for this application.');
  }
  if (states.isDeleting(application)) throw forbidden('The application is being deleted.');
}

/**
 * Refuses an API key in a page of another origin, unless it may do nothing but use channels: everybody
 * who can load such a page can read its key.
 */
function checkPage({ kind, scopes }: Caller, { client }: AuthRequest): void {
  if (client?.foreignOrigin === undefined || kind !== 'key') return;
  if (scopes.every((scope) => pageScopes.includes(scope))) return;
  throw forbidden('A web page sent an API key that may do more than use realtime channels.');
}

function findAnyCredential(headers: Headers): string | undefined {
  return headers['x-api-key'] ?? findOwnCredential(headers);
}

function findOwnCredential(headers: Headers): string | undefined {
  const texts = [headers['x-api-key'], headers.authorization?.replace(bearer, '')];
  return texts.find((text) => text?.startsWith(keyPrefix) || text?.startsWith(tokenPrefix));
}

function isRefusal(error: unknown): boolean {
  return error instanceof PlatformError && error.type === 'unauthorized';
}

function unauthorized(): RealtimeError {
  return new RealtimeError(
    'UnauthorizedException',
    401,
    'You are not authorized to make this call.',
  );
}

/** Creates the refusal of a valid credential. */
export function forbidden(message: string): RealtimeError {
  return new RealtimeError('UnauthorizedException', 403, message);
}

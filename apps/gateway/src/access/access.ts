/*
 * Access: from a route to its scope to the check of the caller's API key.
 *
 * 1. Each route in `routes/` declares the scope that it needs, as `config.scope`. For example
 *    `config: { scope: 'callbacks:write' }`. `public` needs no key. The package
 *    `access` lists all scopes.
 *    Routes of libraries (CORS, the pages of /docs) get theirs from an `onRoute` hook where the
 *    library is registered.
 * 2. A route without a scope would be open to everybody by mistake: `requireScopes` looks through
 *    all routes when the server becomes ready, and the server does not start.
 * 3. `addAccess` adds a check to each route. It runs before the body is read:
 *    - with `POSTHASTE_ACCESS=keys`, it takes the credential of the request (access/credential.ts),
 *      finds its caller (an `Authenticator` per kind of credential: in memory, else in the database)
 *      and compares scopes (`grants`). It refuses with KEY_MISSING or KEY_INVALID (401), or with
 *      SCOPE_MISSING (403);
 *    - on loopback, no route needs a credential, but one that is sent is checked and binds. An
 *      Authorization header of any other form is refused too: who sends it expects a check.
 *      access/local-caller.ts refuses callers that are not on this machine;
 *    - the cookie of a session counts only if a page of the platform sent it
 *      (access/session-cookies.ts).
 * 4. access/application-access.ts then finds the applications that the request is about.
 * 5. The same check counts the request, by key or by address (http/limits/rate-limit.ts).
 */

import {
  type Authenticators,
  anonymousCaller,
  type Caller,
  callerFor,
  grants,
  localCaller,
  type RouteScope,
} from '@posthaste/access';
import { coversApplications, PlatformError } from '@posthaste/contracts';
import type {
  FastifyContextConfig,
  FastifyRequest,
  onRequestHookHandler,
  RouteOptions,
} from 'fastify';
import type { App, RouteAccess } from '../app.js';
import type { RateLimiter } from '../http/limits/rate-limit.js';
import type { RequestStep } from '../http/request-steps.js';
import { findAuthenticator, readCredential } from './credential.js';
import { checkOriginOfKey } from './foreign-origin.js';
import type { SessionCookies } from './session-cookies.js';

export interface AccessOptions {
  /** `loopback` needs no credential, and answers callers on this machine only. */
  readonly mode: 'loopback' | 'keys';
  readonly authenticators: Authenticators;
  readonly limiter: RateLimiter;
  /** Cookies of sessions. */
  readonly cookies: SessionCookies;
}

/** Scope of routes for callers. */
type CallerScope = Exclude<RouteScope, 'public'>;

/**
 * Creates the step that counts requests for unknown routes, and refuses them. The not-found handler
 * would run after the body was read.
 */
export function createUnknownRouteStep(limiter: RateLimiter): RequestStep {
  return (request, reply) =>
    request.is404 ? (limiter.byAddress(request, reply) ?? routeNotFound(request)) : undefined;
}

/**
 * Adds the check of key, scope and rate limit to all routes that are registered after this call.
 * Requests that a request step refuses do not reach it.
 */
export function addAccess(app: App, options: AccessOptions): void {
  // The check below sets it before anything that belongs to a route reads it.
  app.decorateRequest('caller', null as unknown as Caller);
  app.decorateRequest('routeConfig', null as unknown as FastifyContextConfig);
  app.decorateRequest('isStillAuthorized', function () {
    return isStillAuthorized(this, options);
  });
  requireScopes(app);
  app.addHook('onRoute', (route) => {
    const others = route.onRequest ?? [];
    // On each route and not once for all: reading a route's options from the request is slow.
    route.onRequest = [
      createAccessCheck(route, options),
      ...(Array.isArray(others) ? others : [others]),
    ];
  });
  // For handlers that call `reply.callNotFound()`.
  app.setNotFoundHandler((request) => {
    throw routeNotFound(request);
  });
}

/**
 * Returns true also if the credential cannot be looked up now: only a clear refusal ends an answer.
 * A caller that has lost an application is refused: the answer may be about that one.
 */
async function isStillAuthorized(
  request: FastifyRequest,
  options: AccessOptions,
): Promise<boolean> {
  const { mode, authenticators } = options;
  const { scope = 'admin' } = request.routeOptions.config;
  const authenticator = findAuthenticator(request, authenticators);
  const isOpen = mode === 'loopback' && authenticator === undefined;
  if (isOpen || scope === 'public') return true;
  const { applications } = request.caller;
  try {
    await checkCaller(request, scope, options);
    return coversApplications(request.caller.applications, applications);
  } catch (error) {
    const isRefused = error instanceof PlatformError && refusalTypes.has(error.type);
    return !isRefused;
  }
}

const refusalTypes: ReadonlySet<string> = new Set(['unauthorized', 'forbidden']);

/** Keeps the server from starting while a route declares no scope or no source of its applications. */
function requireScopes(app: App): void {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  app.decorate('listRouteAccess', () => routes.flatMap(toRouteAccess));
  // Not in `onRoute`: a later hook may still set the scope of a library's route.
  app.addHook('onReady', async () => {
    const unknown = routes.filter(
      ({ config }) => config?.scope === undefined || config.application === undefined,
    );
    if (unknown.length === 0) return;
    const names = unknown.map((route) => `${route.method} ${route.url}`).join(', ');
    throw new Error(
      `no scope or application is declared by ${names}; set config.scope and config.application on each of these routes`,
    );
  });
}

function toRouteAccess({ method, url, config }: RouteOptions): RouteAccess[] {
  const { scope = 'admin', application = 'all' } = config ?? {};
  return [method].flat().map((each) => ({ method: each, url, scope, application }));
}

function createAccessCheck(route: RouteOptions, options: AccessOptions): onRequestHookHandler {
  const { mode, authenticators, limiter, cookies } = options;
  const isCounted = route.config?.rateLimit !== false;
  return (request, reply, done) => {
    request.routeConfig = route.config ?? {};
    const { scope = 'admin' } = request.routeConfig;
    const authenticator = findAuthenticator(request, authenticators);
    if (scope === 'public' || (mode === 'loopback' && authenticator === undefined)) {
      request.caller = scope === 'public' ? anonymousCaller : localCaller;
      return done(isCounted ? limiter.byAddress(request, reply) : undefined);
    }
    request.caller = anonymousCaller;
    const isCookie = authenticator !== undefined && authenticator === authenticators.sessions;
    const foreign = isCookie ? cookies.refuseForeign(request) : undefined;
    if (foreign) return done(foreign);
    const caller = authenticator?.findCached(readCredential(request, authenticators));
    // Nearly every request goes this way: its caller is in memory, and no promise is needed.
    if (caller) {
      const refused = authorize(request, caller, scope);
      return done((isCounted ? limiter.byKey(request, reply) : undefined) ?? refused);
    }
    // By address first: guesses must not reach the database unlimited.
    const limited = isCounted ? limiter.byAddress(request, reply) : undefined;
    if (limited) return done(limited);
    checkCaller(request, scope, options).then(
      () => done(limiter.byKey(request, reply)),
      (error) => {
        // The page cannot: its scripts do not see the cookie.
        if (isCookie && isEnded(error)) reply.header('set-cookie', cookies.end());
        done(error);
      },
    );
  };
}

function isEnded(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'SESSION_INVALID';
}

/**
 * @throws PlatformError `KEY_MISSING`, `KEY_INVALID`, `TOKEN_INVALID`, `SESSION_INVALID`,
 *   `SCOPE_MISSING`, `DATABASE_*`
 */
async function checkCaller(
  request: FastifyRequest,
  scope: CallerScope,
  { authenticators }: AccessOptions,
): Promise<void> {
  const authenticator = findAuthenticator(request, authenticators);
  const credential = readCredential(request, authenticators);
  if (authenticator === undefined || credential === '') throw missingKey(request);
  const refused = authorize(request, await authenticator.authenticate(credential), scope);
  if (refused) throw refused;
}

/** Returns the error of a request without a credential, or with one of another form. */
function missingKey({ raw }: FastifyRequest): PlatformError {
  const how = 'send an API key as `Authorization: Bearer <key>`';
  return raw.headers.authorization === undefined
    ? new PlatformError('KEY_MISSING', `the request has no API key; ${how}`)
    : new PlatformError('KEY_MISSING', `the Authorization header has no API key; ${how}`);
}

const kindNames: Readonly<Record<Caller['kind'], string>> = {
  key: 'API key',
  person: 'person',
  token: 'token',
  local: 'caller',
  anonymous: 'caller',
};

/**
 * Sets `request.caller`. Returns the error if the caller lacks the scope of the route, or is a key in
 * a page of another origin.
 */
function authorize(
  request: FastifyRequest,
  caller: Caller,
  scope: CallerScope,
): PlatformError | undefined {
  request.caller = scope === 'any' ? caller : callerFor(caller, scope);
  if (scope === 'any' || grants(request.caller.scopes, scope)) {
    return checkOriginOfKey(request, caller);
  }
  const who = `${kindNames[caller.kind]} '${caller.name}'`;
  return new PlatformError('SCOPE_MISSING', `the ${who} lacks the scope ${scope}`, {
    details: { needed: scope, held: caller.scopes },
  });
}

function routeNotFound(request: FastifyRequest): PlatformError {
  const path = request.url.split('?', 1)[0];
  return new PlatformError('ROUTE_NOT_FOUND', `there is no route ${request.method} ${path}`);
}

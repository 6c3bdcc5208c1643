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
 *    - with `POSTHASTE_ACCESS=keys`, it takes the token from `Authorization: Bearer`, finds its key
 *      (`ApiKeys`: in memory, else in the database) and compares scopes (`grants`). It
 *      refuses with KEY_MISSING or KEY_INVALID (401), or with SCOPE_MISSING (403);
 *    - on loopback without keys, no route needs a key, but one that is sent is checked and binds.
 *      access/local-caller.ts refuses callers that are not on this machine.
 * 4. access/application-access.ts then finds the applications that the request is about.
 * 5. The same check counts the request, by key or by address (http/rate-limit.ts).
 */

import { anonymousCaller, type Caller, grants, localCaller, type Scope } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify';
import type { App } from '../app.js';
import type { RateLimiter } from '../http/rate-limit.js';
import type { RequestStep } from '../http/request-steps.js';

/** Methods of `ApiKeys` that the check uses. */
export interface KeyAuthenticator {
  /** Returns the key of a token if it is in memory. */
  findCached(token: string): Caller | undefined;
  /** @throws PlatformError `KEY_INVALID`; `DATABASE_*` when the key cannot be looked up */
  authenticate(token: string): Promise<Caller>;
}

export interface AccessOptions {
  /** `loopback` needs no key, and answers callers on this machine only. */
  readonly mode: 'loopback' | 'keys';
  readonly keys: KeyAuthenticator;
  readonly limiter: RateLimiter;
}

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

/** Returns true also if the key cannot be looked up now: only a clear refusal ends an answer. */
async function isStillAuthorized(
  request: FastifyRequest,
  { mode, keys }: AccessOptions,
): Promise<boolean> {
  const { scope = 'admin' } = request.routeOptions.config;
  const isOpen = mode === 'loopback' && bearerToken(request) === undefined;
  if (isOpen || scope === 'public') return true;
  try {
    await checkKey(request, scope, keys);
    return true;
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

function createAccessCheck(
  route: RouteOptions,
  { mode, keys, limiter }: AccessOptions,
): onRequestHookHandler {
  const isCounted = route.config?.rateLimit !== false;
  return (request, reply, done) => {
    const { scope = 'admin' } = route.config ?? {};
    const token = bearerToken(request);
    if (scope === 'public' || (mode === 'loopback' && token === undefined)) {
      request.caller = scope === 'public' ? anonymousCaller : localCaller;
      return done(isCounted ? limiter.byAddress(request, reply) : undefined);
    }
    request.caller = anonymousCaller;
    const key = keys.findCached(token ?? '');
    // Nearly every request goes this way: its key is in memory, and no promise is needed.
    if (key) {
      const refused = authorize(request, key, scope);
      return done((isCounted ? limiter.byKey(request, reply) : undefined) ?? refused);
    }
    // By address first: guesses must not reach the database unlimited.
    const limited = isCounted ? limiter.byAddress(request, reply) : undefined;
    if (limited) return done(limited);
    checkKey(request, scope, keys).then(() => done(limiter.byKey(request, reply)), done);
  };
}

/** @throws PlatformError `KEY_MISSING`, `KEY_INVALID`, `SCOPE_MISSING`, `DATABASE_*` */
async function checkKey(
  request: FastifyRequest,
  scope: Scope,
  keys: KeyAuthenticator,
): Promise<void> {
  const token = bearerToken(request);
  if (token === undefined) {
    throw new PlatformError(
      'KEY_MISSING',
      'the request has no API key; send one as `Authorization: Bearer <key>`',
    );
  }
  const refused = authorize(request, await keys.authenticate(token), scope);
  if (refused) throw refused;
}

/** Sets `request.caller`. Returns the error if the key lacks the scope of the route. */
function authorize(request: FastifyRequest, key: Caller, scope: Scope): PlatformError | undefined {
  request.caller = key;
  if (grants(key.scopes, scope)) return undefined;
  return new PlatformError('SCOPE_MISSING', `the API key '${key.name}' lacks the scope ${scope}`, {
    details: { needed: scope, held: key.scopes },
  });
}

function bearerToken(request: FastifyRequest): string | undefined {
  const header = request.raw.headers.authorization;
  // The name of the scheme is matched without regard to case (RFC 9110, section 11.1).
  return header !== undefined && /^bearer /i.test(header) ? header.slice(7).trim() : undefined;
}

function routeNotFound(request: FastifyRequest): PlatformError {
  const path = request.url.split('?', 1)[0];
  return new PlatformError('ROUTE_NOT_FOUND', `there is no route ${request.method} ${path}`);
}

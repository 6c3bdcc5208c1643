import { PlatformError } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify';
import type { App } from '../app.js';
import type { AuthenticatedKey } from '../keys/api-keys.js';
import { grants, type RouteScope, type Scope } from '../keys/scopes.js';
import { type LocalCallers, localCallerCheck } from './local-caller.js';
import type { RateLimiter } from './rate-limit.js';
import type { RequestStep } from './request-steps.js';

/** What access needs of the API keys. */
export interface KeyAuthenticator {
  recall(token: string): AuthenticatedKey | undefined;
  authenticate(token: string): Promise<AuthenticatedKey>;
}

export interface AccessOptions {
  /** `loopback` asks for no key, but answers callers on this machine only. */
  readonly mode: 'loopback' | 'keys';
  readonly keys: KeyAuthenticator;
  readonly limiter: RateLimiter | undefined;
}

/** Refuses what leads nowhere: the handler for that would come after the body was read. */
export const knownRoutesOnly: RequestStep = (request) =>
  request.is404 ? routeNotFound(request) : undefined;

/** Refuses callers that are, or may be, on another machine. */
export function localCallersOnly(callers: LocalCallers): RequestStep {
  const check = localCallerCheck(callers);
  // Callers on this machine hardly ever differ in it.
  let lastAllowed: string | undefined;
  return (request) => {
    const { host, origin } = request.raw.headers;
    if (host === lastAllowed && host !== undefined && origin === undefined) return undefined;
    switch (check(host, origin)) {
      case 'host':
        return new PlatformError(
          'HOST_NOT_ALLOWED',
          `this server does not answer to the host ${host}`,
        );
      case 'origin':
        return new PlatformError(
          'ORIGIN_NOT_ALLOWED',
          `pages of ${origin} may not call this server`,
        );
      default:
        lastAllowed = host;
        return undefined;
    }
  };
}

/**
 * Decides who gets in to the routes that are added from now on, before any body is read. What the
 * steps of arrival refuse does not come this far.
 */
export function addAccess(app: App, options: AccessOptions): void {
  app.decorateRequest('apiKey', null);
  app.decorateRequest('isStillAdmitted', function () {
    return isStillAdmitted(this, options);
  });
  requireScopes(app);
  if (options.mode === 'keys' || options.limiter) {
    app.addHook('onRoute', (route) => {
      const others = route.onRequest ?? [];
      // On the route and not for all: a request knows the options of its route, but not cheaply.
      route.onRequest = [admission(route, options), ...(Array.isArray(others) ? others : [others])];
    });
  }
  if (options.limiter) limitUnknownRoutes(app, options.limiter);
  // For routes that find out later that there is nothing.
  app.setNotFoundHandler((request) => {
    throw routeNotFound(request);
  });
}

/** Whether who got in would get in now. Nobody is turned away because that cannot be found out. */
async function isStillAdmitted(
  request: FastifyRequest,
  { mode, keys }: AccessOptions,
): Promise<boolean> {
  const { scope = 'admin' } = request.routeOptions.config;
  if (mode === 'loopback' || scope === 'public') return true;
  try {
    await admitKey(request, scope, keys);
    return true;
  } catch (error) {
    const isRefused = error instanceof PlatformError && refusals.has(error.type);
    return !isRefused;
  }
}

const refusals: ReadonlySet<string> = new Set(['unauthorized', 'forbidden']);

/** A route without a scope would be open to everybody by oversight: the server does not start. */
function requireScopes(app: App): void {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  // Not earlier, because a scope may declare it for the routes of a library.
  app.addHook('onReady', (done) => {
    const open = routes.filter((route) => route.config?.scope === undefined);
    const names = open.map((route) => `${route.method} ${route.url}`);
    done(names.length > 0 ? new Error(`no scope is declared by ${names.join(', ')}`) : undefined);
  });
}

/** Counts what leads nowhere like everything else, and refuses it: `knownRoutesOnly` with a limit. */
function limitUnknownRoutes(app: App, limiter: RateLimiter): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done();
    limiter.byAddress(request, reply).then(() => done(routeNotFound(request)), done);
  });
}

function admission(
  route: RouteOptions,
  { mode, keys, limiter }: AccessOptions,
): onRequestHookHandler {
  return (request, reply, done) => {
    const scope = mode === 'loopback' ? 'public' : (route.config?.scope ?? 'admin');
    if (limiter && route.config?.rateLimit !== false) {
      admitLimited({ request, reply, scope, keys, limiter }).then(() => done(), done);
      return;
    }
    if (scope === 'public') return done();
    const key = keys.recall(bearerToken(request) ?? '');
    // Without waiting where the key was seen a moment ago: the way of nearly every request.
    if (key) done(accept(request, key, scope));
    else admitKey(request, scope, keys).then(() => done(), done);
  };
}

interface LimitedAdmission {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly scope: RouteScope;
  readonly keys: KeyAuthenticator;
  readonly limiter: RateLimiter;
}

async function admitLimited(admission: LimitedAdmission): Promise<void> {
  const { request, reply, scope, keys, limiter } = admission;
  if (scope === 'public') return limiter.byAddress(request, reply);
  // Whoever is not known counts by address first: guesses must not reach the database unlimited.
  const known = keys.recall(bearerToken(request) ?? '');
  if (!known) await limiter.byAddress(request, reply);
  await admitKey(request, scope, keys);
  await limiter.byKey(request, reply);
}

async function admitKey(
  request: FastifyRequest,
  scope: Scope,
  keys: KeyAuthenticator,
): Promise<void> {
  const token = bearerToken(request);
  if (token === undefined) {
    throw new PlatformError('KEY_MISSING', 'send an API key as `Authorization: Bearer <key>`');
  }
  const refused = accept(request, await keys.authenticate(token), scope);
  if (refused) throw refused;
}

/** Notes who calls; gives the error when the key is not for this route. */
function accept(
  request: FastifyRequest,
  key: AuthenticatedKey,
  scope: Scope,
): PlatformError | undefined {
  request.apiKey = key;
  if (grants(key.scopes, scope)) return undefined;
  return new PlatformError('SCOPE_MISSING', `the API key ${key.name} lacks the scope ${scope}`, {
    details: { needed: scope, held: key.scopes },
  });
}

function bearerToken(request: FastifyRequest): string | undefined {
  const header = request.raw.headers.authorization;
  // The scheme's name is compared without regard to case (RFC 9110, section 11.1).
  return header !== undefined && /^bearer /i.test(header) ? header.slice(7).trim() : undefined;
}

function routeNotFound(request: FastifyRequest): PlatformError {
  const path = request.url.split('?', 1)[0];
  return new PlatformError('ROUTE_NOT_FOUND', `there is no route ${request.method} ${path}`);
}

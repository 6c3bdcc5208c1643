/*
 * Applications: from a route and a caller to the applications that a request is about. The route
 * declares the source (access/application-source.ts) as `config.application`; this file, which runs
 * after the validation of the request, is the only one that decides what it means:
 *
 * - An application that the request names must be one of the caller's: else APPLICATION_FORBIDDEN
 *   (403), whether it exists or not.
 * - What the request finds by an id is the handler's: it passes `request.applications` on, and
 *   something of another application is not found.
 * - An application that is being deleted is refused: APPLICATION_DELETING (409).
 * - What it adds to an application is counted: LIMIT_REACHED (429, access/application-limits.ts).
 * - A new name that a caller for all applications writes to is registered before the answer.
 */

import type { Caller, Registrant } from '@posthaste/access';
import {
  type Applications,
  includesApplication,
  onlyApplication,
  PlatformError,
} from '@posthaste/contracts';
import type { FastifyRequest, RouteOptions } from 'fastify';
import type { App } from '../app.js';
import { toActor, toOrigin } from '../audit/change-author.js';
import type { ApplicationLimiter } from './application-limits.js';
import type { ApplicationSource } from './application-source.js';

/** Methods of `KnownApplications` that the check uses. */
export interface ApplicationStates {
  /** True when the states were read, or could not be. */
  readonly isReady: boolean;
  /** Resolves when `isReady`. Does not reject. */
  start(): Promise<void>;
  isDeleting(application: string): boolean;
  isRegistered(application: string): boolean;
  /** Registers new names. Resolves also when that has to wait. */
  register(applications: readonly string[], by: Registrant): Promise<void>;
}

/** Options of {@link addApplicationAccess}. */
export interface ApplicationAccessOptions {
  /** Application of requests that name none, of callers for all applications. */
  readonly defaultApplication: string;
  readonly states: ApplicationStates;
  readonly limiter: ApplicationLimiter;
}

const newNames = Symbol('new names');
const resolvedApplications = Symbol('applications');
const resolvedApplication = Symbol('application');

/** Request with what the check has found. Each is null until it is set. */
type CheckedRequest = FastifyRequest & {
  [resolvedApplications]: Applications | null;
  [resolvedApplication]: string | null;
  /** Names that are to be registered, when the request succeeds. */
  [newNames]: string[] | null;
};

/** Check of one route. Sets what it finds on the request. @throws PlatformError `APPLICATION_*`, `LIMIT_REACHED` */
type Check = (request: CheckedRequest) => void;

/**
 * Adds the check of applications to all routes that are registered after this call. The server does
 * not start while a route declares no source.
 */
export function addApplicationAccess(app: App, options: ApplicationAccessOptions): void {
  addProperties(app, options);
  app.addHook('onRoute', (route) => {
    addHook(route, options);
    if (mayCreate(route)) addRegistration(route, options.states);
  });
}

function addProperties(app: App, options: ApplicationAccessOptions): void {
  app.decorateRequest(newNames, null);
  app.decorateRequest(resolvedApplications, null);
  app.decorateRequest(resolvedApplication, null);
  app.decorateRequest('applications', {
    getter() {
      return required((this as CheckedRequest)[resolvedApplications], this);
    },
  });
  app.decorateRequest('application', {
    getter() {
      return required((this as CheckedRequest)[resolvedApplication], this);
    },
  });
  app.decorateRequest('applicationFor', function (named) {
    return resolveNamed(this as CheckedRequest, named, options);
  });
}

function addHook(route: RouteOptions, options: ApplicationAccessOptions): void {
  const { states } = options;
  const others = route.preHandler ?? [];
  let check: Check | undefined;
  route.preHandler = [
    (request, _reply, done) => {
      // Not in `onRoute`: a later hook may still set the source of a library's route.
      check ??= createCheck(route.config?.application ?? 'all', options);
      if (states.isReady) return done(findFault(check, request as CheckedRequest));
      const checkReady = check;
      void states.start().then(() => done(findFault(checkReady, request as CheckedRequest)));
    },
    ...(Array.isArray(others) ? others : [others]),
  ];
}

function findFault(check: Check, request: CheckedRequest): Error | undefined {
  try {
    check(request);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function createCheck(source: ApplicationSource, options: ApplicationAccessOptions): Check {
  switch (source) {
    case 'none':
    case 'items':
      return () => undefined;
    case 'caller':
      return (request) => {
        request[resolvedApplications] = request.caller.applications;
      };
    case 'all':
      return (request) => {
        if (request.caller.applications !== 'all') throw notForAll();
        request[resolvedApplications] = 'all';
      };
    case 'owner':
      return (request) => {
        request[resolvedApplications] = ownApplications(request, options);
      };
    case 'filter':
      return (request) => {
        const named = applicationIn(request.query, 'query');
        request[resolvedApplications] =
          named === undefined
            ? ownApplications(request, options)
            : listOf(resolveNamed(request, named, options), request.caller);
      };
    case 'named':
      return (request) => {
        const application = resolveNamed(request, findNamed(request), options);
        request[resolvedApplication] = application;
        request[resolvedApplications] = listOf(application, request.caller);
      };
  }
}

/** Returns the applications of the caller. @throws PlatformError `APPLICATION_DELETING` */
function ownApplications(
  { caller, routeConfig }: FastifyRequest,
  { states }: ApplicationAccessOptions,
): Applications {
  const { applications } = caller;
  const own = onlyApplication(applications);
  if (own !== undefined && states.isDeleting(own) && !routeConfig.whileDeleting) {
    throw isDeleting(own);
  }
  return applications;
}

/** Returns a list of one application: that of the caller, if it has just this one. */
function listOf(application: string, { applications }: Caller): Applications {
  return onlyApplication(applications) === undefined ? [application] : applications;
}

/**
 * Returns the application that a request names, or the one that stands for none.
 * @throws PlatformError `APPLICATION_FORBIDDEN`, `APPLICATION_REQUIRED`, `APPLICATION_DELETING`
 */
function resolveNamed(
  request: CheckedRequest,
  named: string | undefined,
  { defaultApplication, states, limiter }: ApplicationAccessOptions,
): string {
  const { applications } = request.caller;
  const application = named ?? (applications === 'all' ? defaultApplication : only(applications));
  if (!includesApplication(applications, application)) throw isForbidden(application);
  if (states.isDeleting(application) && !request.routeConfig.whileDeleting) {
    throw isDeleting(application);
  }
  if (applications === 'all' && !states.isRegistered(application)) {
    request[newNames] ??= [];
    request[newNames].push(application);
  }
  limiter.count(application, request);
  return application;
}

/** Returns the only application of a caller. @throws PlatformError when it has several or none */
function only(applications: readonly string[]): string {
  const own = onlyApplication(applications);
  if (own !== undefined) return own;
  if (applications.length === 0) {
    throw new PlatformError('APPLICATION_FORBIDDEN', 'the caller has no application');
  }
  throw new PlatformError(
    'APPLICATION_REQUIRED',
    'the caller has several applications; name one as `application`',
    { details: [{ field: 'application', message: 'is required' }] },
  );
}

/** Returns the application in query or body. @throws PlatformError `REQUEST_INVALID` if they differ */
function findNamed({ query, body }: FastifyRequest): string | undefined {
  const inQuery = applicationIn(query, 'query');
  const inBody = applicationIn(body, 'body');
  if (inQuery !== undefined && inBody !== undefined && inQuery !== inBody) {
    throw applicationInvalid('query', 'names another application than the body');
  }
  return inQuery ?? inBody;
}

/** @throws PlatformError `REQUEST_INVALID` when it is given twice, or is no text */
function applicationIn(part: unknown, name: 'query' | 'body'): string | undefined {
  if (typeof part !== 'object' || part === null || !Object.hasOwn(part, 'application')) {
    return undefined;
  }
  const { application } = part as { readonly application: unknown };
  if (typeof application === 'string' || application === undefined) return application;
  throw applicationInvalid(name, 'must be given once, as text');
}

/** True if a request to the route can be the first that names an application. */
function mayCreate({ method, config }: RouteOptions): boolean {
  const isWrite = ['POST', 'PUT', 'PATCH'].some((each) => [method].flat().includes(each));
  return isWrite && (config?.application === 'named' || config?.application === 'items');
}

/** Registers new names before the answer, if the request succeeds. All others pass without delay. */
function addRegistration(route: RouteOptions, states: ApplicationStates): void {
  const others = route.onSend ?? [];
  route.onSend = [
    // biome-ignore lint/complexity/useMaxParams: Fastify's; without `done` each answer costs a promise
    (request, reply, _payload, done) => {
      const names = (request as CheckedRequest)[newNames];
      if (names === null || reply.statusCode >= 400) return done();
      const by = { actor: toActor(request.caller), origin: toOrigin(request) };
      void states.register(names, by).then(() => done());
    },
    ...(Array.isArray(others) ? others : [others]),
  ];
}

function notForAll(): PlatformError {
  const message = 'this route is only for callers for all applications';
  return new PlatformError('APPLICATION_SCOPE_MISSING', message);
}

function isForbidden(application: string): PlatformError {
  const message = `the caller may not use the application '${application}'`;
  return new PlatformError('APPLICATION_FORBIDDEN', message);
}

function isDeleting(application: string): PlatformError {
  const message = `the application '${application}' is being deleted`;
  return new PlatformError('APPLICATION_DELETING', message);
}

function applicationInvalid(part: 'query' | 'body', message: string): PlatformError {
  const fault = { field: `${part}.application`, message };
  return new PlatformError('REQUEST_INVALID', `${fault.field} ${message}`, { details: [fault] });
}

/** Fails a handler that reads what the source of its route does not set: nothing stands for all. */
function required<T>(value: T | null, { routeOptions }: FastifyRequest): T {
  if (value !== null) return value;
  throw new Error(
    `${routeOptions.method} ${routeOptions.url} reads applications that its config.application does not set`,
  );
}

import type { Caller } from '@posthaste/access';
import { type Applications, includesApplication, PlatformError } from '@posthaste/contracts';
import type { FastifyRequest, RouteOptions } from 'fastify';
import type { App } from '../app.js';
import type { ApplicationSource } from './application-source.js';

/** Options of {@link addApplicationAccess}. */
export interface ApplicationAccessOptions {
  /** Application of requests that name none, of callers for all applications. */
  readonly defaultApplication: string;
}

/** Values that the check sets on a request, each only for the sources that it belongs to. */
interface ResolvedApplications {
  readonly applications?: Applications;
  readonly application?: string;
}

/** Name of the property of a request that holds them. */
const resolvedKey = Symbol('resolved applications');

type ResolvedRequest = FastifyRequest & { [resolvedKey]: ResolvedApplications | null };

/**
 * Adds the check of applications to all routes that are registered after this call. It runs after
 * the validation of the request. The server does not start while a route declares no source.
 */
export function addApplicationAccess(app: App, options: ApplicationAccessOptions): void {
  app.decorateRequest(resolvedKey, null);
  app.decorateRequest('applications', {
    getter() {
      return required((this as ResolvedRequest)[resolvedKey]?.applications, this);
    },
  });
  app.decorateRequest('application', {
    getter() {
      return required((this as ResolvedRequest)[resolvedKey]?.application, this);
    },
  });
  app.decorateRequest('applicationFor', function (named) {
    return resolveApplication(this.caller, named, options);
  });
  app.addHook('onRoute', (route) => {
    const others = route.preHandler ?? [];
    route.preHandler = [
      (request, _reply, done) => done(checkApplications(request, route, options)),
      ...(Array.isArray(others) ? others : [others]),
    ];
  });
}

/** Sets the applications of a request. Returns the error if the caller may not use them. */
function checkApplications(
  request: FastifyRequest,
  route: RouteOptions,
  options: ApplicationAccessOptions,
): PlatformError | undefined {
  try {
    const { application = 'all' } = route.config ?? {};
    (request as ResolvedRequest)[resolvedKey] = resolve(request, application, options);
    return undefined;
  } catch (error) {
    if (error instanceof PlatformError) return error;
    throw error;
  }
}

/** @throws PlatformError `APPLICATION_*` */
function resolve(
  request: FastifyRequest,
  source: ApplicationSource,
  options: ApplicationAccessOptions,
): ResolvedApplications {
  const { caller } = request;
  switch (source) {
    case 'none':
    case 'items':
      return {};
    case 'caller':
    case 'owner':
      return { applications: caller.applications };
    case 'all':
      if (caller.applications === 'all') return { applications: 'all' };
      throw new PlatformError(
        'APPLICATION_SCOPE_MISSING',
        'this route is only for callers for all applications',
      );
    case 'filter': {
      const named = applicationIn(request.query);
      if (named === undefined) return { applications: caller.applications };
      return { applications: [resolveApplication(caller, named, options)] };
    }
    case 'named': {
      const named = applicationIn(request.query) ?? applicationIn(request.body);
      const application = resolveApplication(caller, named, options);
      return { application, applications: [application] };
    }
  }
}

/** @throws PlatformError `APPLICATION_FORBIDDEN`, `APPLICATION_REQUIRED` */
function resolveApplication(
  { applications }: Caller,
  named: string | undefined,
  { defaultApplication }: ApplicationAccessOptions,
): string {
  if (named !== undefined) {
    if (includesApplication(applications, named)) return named;
    throw new PlatformError(
      'APPLICATION_FORBIDDEN',
      `the caller may not use the application '${named}'`,
    );
  }
  if (applications === 'all') return defaultApplication;
  const [own] = applications;
  if (own !== undefined && applications.length === 1) return own;
  throw new PlatformError(
    'APPLICATION_REQUIRED',
    'the caller has several applications; name one as `application`',
    { details: [{ field: 'application', message: 'is required' }] },
  );
}

function applicationIn(source: unknown): string | undefined {
  if (typeof source !== 'object' || source === null || !('application' in source)) return undefined;
  return typeof source.application === 'string' ? source.application : undefined;
}

/** Fails a handler that reads what the source of its route does not set: nothing stands for all. */
function required<T>(value: T | undefined, { routeOptions }: FastifyRequest): T {
  if (value !== undefined) return value;
  throw new Error(
    `${routeOptions.method} ${routeOptions.url} reads applications that its config.application does not set`,
  );
}

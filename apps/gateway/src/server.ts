/*
 * The way of a request through the server, in order:
 *
 * 1. http/http-server.ts, Node and http/malformed-requests.ts: the limits of connections, of requests
 *    in hand on each, of headers and time. Bytes that are no HTTP request are answered there and go
 *    no further.
 * 2. http/tracing.ts: the server span, if an OpenTelemetry SDK is registered.
 * 3. http/cors.ts: preflight requests and CORS headers, if origins are configured.
 * 4. The request steps, all in one hook; `createRequestSteps` lists them: clock, headers of the
 *    answer, two Host headers, overload, Host and Origin on loopback, unknown routes, loops of
 *    deliveries, Content-Type of an empty body.
 * 5. access/access.ts: API key, scope and rate limit of the route; http/limits/read-pacing.ts: reads wait for
 *    their turn.
 * 6. Body, parsed as JSON within the size limit, unless the route's own parsers read it
 *    (routes/schemas/exact-body.ts); then validation by the schemas of the route.
 *    Then access/application-access.ts finds the applications that the request is about.
 * 7. The handler in routes/. audit/audited-changes.ts runs those that change something, in the
 *    transaction that also records the change.
 * 8. http/metrics.ts counts and times the answer; http/request-log.ts logs it, if configured.
 *
 * An error of any of the steps 2 to 7 goes to the error handler (http/problem.ts), which answers
 * with problem details; http/limits/fault-delay.ts holds the answer back if the caller sends many such.
 */

import type { Authenticator, Authenticators } from '@posthaste/access';
import { createReadiness, type ReadinessCheck } from '@posthaste/service';
import { fastify } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { addAccess, createUnknownRouteStep } from './access/access.js';
import { type ApplicationStates, addApplicationAccess } from './access/application-access.js';
import {
  ApplicationLimiter,
  type ApplicationLimitSource,
  addCallerLimits,
  noLimits,
} from './access/application-limits.js';
import { createLocalCallerStep } from './access/local-caller.js';
import { SessionCookies } from './access/session-cookies.js';
import type { App, Routes } from './app.js';
import { type AuditDeps, addAuditedChanges } from './audit/audited-changes.js';
import type { GatewayConfig } from './config.js';
import { addCors } from './http/cors.js';
import { drainConnectionsOnClose } from './http/drain.js';
import { createLoopStep } from './http/hops.js';
import { createHttpServer } from './http/http-server.js';
import { ignoreEmptyBodyType } from './http/ignore-empty-body-type.js';
import { createPlainParser, setJsonParser } from './http/json-body.js';
import { FaultDelay } from './http/limits/fault-delay.js';
import { createPressureStep } from './http/limits/pressure.js';
import { RateLimiter } from './http/limits/rate-limit.js';
import { addReadPacing } from './http/limits/read-pacing.js';
import { createMalformedRequestHandler, refuseTwoHosts } from './http/malformed-requests.js';
import { addRequestMetrics, startClock } from './http/metrics.js';
import { createErrorHandler } from './http/problem.js';
import { addRequestLog, requestLogOptions } from './http/request-log.js';
import { addRequestSteps, type RequestStep } from './http/request-steps.js';
import { setApiHeaders } from './http/security-headers.js';
import { addTracing } from './http/tracing.js';
import { RouteUpgrades } from './http/upgrades.js';
import { compileValidator } from './http/validator.js';
import { apiDocsRoutes, collectApiDocs } from './openapi/api-docs.js';
import type { OperationLimits } from './realtime/operation-limits.js';
import { type ApplicationAdmin, applicationRoutes } from './routes/applications.js';
import { healthRoutes } from './routes/health.js';
import { type KeyAdmin, keyRoutes } from './routes/keys.js';
import { metricsRoutes } from './routes/metrics.js';

export interface ServerDeps {
  readonly config: GatewayConfig;
  readonly logger: Logger;
  /** Registry of the server's metrics, which `/metrics` shows. */
  readonly registry: Registry;
  readonly keys: Authenticator & KeyAdmin;
  /** States of applications, which requests are checked by. */
  readonly states: ApplicationStates;
  readonly applications: ApplicationAdmin;
  /** Authenticators of credentials other than API keys. Default: none. */
  readonly authenticators?: Omit<Authenticators, 'keys'> | undefined;
  /** Records changes in the audit log; `undefined` does not, for tests of other things. */
  readonly audit: AuditDeps | undefined;
  /** Cookies of sessions. Default: those of a server without POSTHASTE_PUBLIC_URL. */
  readonly cookies?: SessionCookies | undefined;
  /** Limits and usage of applications. Default: none has a limit. */
  readonly limits?: ApplicationLimitSource | undefined;
  /** Gets the counts of requests, for what is no request. Default: nothing else is counted. */
  readonly onLimits?: ((limits: OperationLimits) => void) | undefined;
  /** Checks that `/health/ready` runs. */
  readonly checks: readonly ReadinessCheck[];
  /** Routes of resources, which share access, limits, errors and documentation. */
  readonly routes: readonly Routes[];
}

/**
 * Builds the server with all that surrounds its routes. It is ready, but does not listen.
 * @throws Error when a route declares no scope, or not what it changes
 */
export async function buildServer(deps: ServerDeps): Promise<App> {
  const { config, registry } = deps;
  const app = createServer(config, deps.logger);
  app.setValidatorCompiler(compileValidator);
  drainConnectionsOnClose(app);
  // Only JSON is parsed by default. Routes that take other types add their own parsers.
  app.removeContentTypeParser('text/plain');
  setJsonParser(app, createPlainParser(app));
  addTracing(app);
  await addCors(app, config.corsOrigins);
  const limiter = new RateLimiter(config);
  addRequestSteps(app, await createRequestSteps(app, config, limiter));
  addRequestMetrics(app, registry);
  if (config.logRequests) addRequestLog(app);
  const authenticators: Authenticators = { ...deps.authenticators, keys: deps.keys };
  const { cookies = new SessionCookies(undefined) } = deps;
  addAccess(app, { mode: config.access, authenticators, limiter, cookies });
  addReadPacing(app, config.maxReadsPerSecond);
  const applicationLimiter = new ApplicationLimiter(deps.limits ?? noLimits);
  addCallerLimits(app, applicationLimiter);
  const { defaultApplication } = config;
  const { states } = deps;
  addApplicationAccess(app, { defaultApplication, states, limiter: applicationLimiter });
  addAuditedChanges(app, deps.audit);
  if (config.docs) await collectApiDocs(app);
  deps.onLimits?.({ limiter, applicationLimiter });
  await addRoutes(app, deps);
  await app.ready();
  return app;
}

/** Creates the steps of every request, in their order. */
async function createRequestSteps(
  app: App,
  config: GatewayConfig,
  limiter: RateLimiter,
): Promise<RequestStep[]> {
  const callers = { allowedHosts: config.allowedHosts, allowedOrigins: config.corsOrigins };
  return [
    startClock,
    setApiHeaders,
    refuseTwoHosts,
    await createPressureStep(app, config),
    ...(config.access === 'loopback' ? [createLocalCallerStep(callers)] : []),
    createUnknownRouteStep(limiter),
    createLoopStep(config.maxHops),
    ignoreEmptyBodyType,
  ];
}

function createServer(config: GatewayConfig, logger: Logger): App {
  const faultDelay = new FaultDelay(config.maxFaultsPerSecond);
  const handleError = createErrorHandler(faultDelay);
  const app: App = fastify({
    ...requestLogOptions(logger),
    bodyLimit: config.maxBodyBytes,
    trustProxy: config.trustedProxies.length > 0 ? [...config.trustedProxies] : false,
    // While stopping, requests on open connections are still served; then each is closed.
    return503OnClosing: false,
    clientErrorHandler: createMalformedRequestHandler(logger),
    frameworkErrors: handleError,
    serverFactory: (begin) => createHttpServer(config, { begin, logger }),
  });
  app.setErrorHandler(handleError);
  app.decorate('faultDelay', faultDelay);
  const upgrades = new RouteUpgrades();
  upgrades.attach(app);
  app.decorate('upgrades', upgrades);
  return app;
}

async function addRoutes(app: App, deps: ServerDeps): Promise<void> {
  const readiness = createReadiness(deps.checks);
  const all: Routes[] = [
    (scope) => healthRoutes(scope, readiness),
    (scope) => metricsRoutes(scope, deps.registry),
    (scope) => keyRoutes(scope, deps.keys),
    (scope) => applicationRoutes(scope, deps.applications),
    ...deps.routes,
    ...(deps.config.docs ? [apiDocsRoutes] : []),
  ];
  for (const routes of all) {
    await app.register(async (scope: App) => {
      await routes(scope);
    });
  }
}

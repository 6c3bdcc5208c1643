import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { createReadiness, type ReadinessCheck } from '@posthaste/service';
import { fastify } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { App, Routes } from './app.js';
import type { GatewayConfig } from './config.js';
import {
  addAccess,
  type KeyAuthenticator,
  knownRoutesOnly,
  localCallersOnly,
} from './http/access.js';
import { addCors } from './http/cors.js';
import { addDraining } from './http/drain.js';
import { ignoreEmptyBodyType } from './http/ignore-empty-body-type.js';
import { answerMalformed } from './http/malformed-requests.js';
import { addRequestMetrics, startClock } from './http/metrics.js';
import { createPressureStep } from './http/pressure.js';
import { createErrorHandler } from './http/problem.js';
import { createRateLimiter, type RateLimiter } from './http/rate-limit.js';
import { addRequestLog, requestLogOptions } from './http/request-log.js';
import { addRequestSteps, type RequestStep } from './http/request-steps.js';
import { setApiHeaders } from './http/security-headers.js';
import { addTracing } from './http/tracing.js';
import { apiDocsRoutes, collectApiDocs } from './openapi/api-docs.js';
import { healthRoutes } from './routes/health.js';
import { type KeyKeeper, keyRoutes } from './routes/keys.js';
import { metricsRoutes } from './routes/metrics.js';

/** A connection is renewed after this many requests, so that load spreads over new gateways. */
const maxRequestsPerSocket = 100_000;

export interface ServerDeps {
  readonly config: GatewayConfig;
  readonly logger: Logger;
  /** Where the server's metrics go, and what `/metrics` shows. */
  readonly registry: Registry;
  readonly keys: KeyAuthenticator & KeyKeeper;
  /** What must be there for `/health/ready` to say so. */
  readonly checks: readonly ReadinessCheck[];
  /** The resources to serve, each with access, limits, errors and documentation as all have them. */
  readonly routes: readonly Routes[];
}

/** Builds the server with everything around the routes. It is ready for requests, and does not listen. */
export async function buildServer(deps: ServerDeps): Promise<App> {
  const { config, registry } = deps;
  const app = createServer(config, deps.logger);
  app.setErrorHandler(createErrorHandler());
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  addDraining(app);
  // JSON alone: a parser for anything else belongs to the routes that take it.
  app.removeContentTypeParser('text/plain');
  addTracing(app);
  await addCors(app, config.corsOrigins);
  const limiter = await createRateLimiter(app, config.maxRequestsPerSecond);
  addRequestSteps(app, await requestSteps(app, config, limiter));
  addRequestMetrics(app, registry);
  if (config.logRequests) addRequestLog(app);
  addAccess(app, { mode: config.access, keys: deps.keys, limiter });
  if (config.docs) await collectApiDocs(app);
  await addRoutes(app, deps);
  await app.ready();
  return app;
}

/** What each request meets, in this order. */
async function requestSteps(
  app: App,
  config: GatewayConfig,
  limiter: RateLimiter | undefined,
): Promise<RequestStep[]> {
  const callers = { allowedHosts: config.allowedHosts, allowedOrigins: config.corsOrigins };
  return [
    startClock,
    setApiHeaders,
    await createPressureStep(app, config),
    ...(config.access === 'loopback' ? [localCallersOnly(callers)] : []),
    // With a limit, access counts what leads nowhere before it refuses it.
    ...(limiter ? [] : [knownRoutesOnly]),
    ignoreEmptyBodyType,
  ];
}

function createServer(config: GatewayConfig, logger: Logger): App {
  const app: App = fastify({
    ...requestLogOptions(logger),
    bodyLimit: config.maxBodyBytes,
    requestTimeout: config.requestTimeoutMs,
    connectionTimeout: config.stallTimeoutMs,
    keepAliveTimeout: config.keepAliveTimeoutMs,
    maxRequestsPerSocket,
    trustProxy: config.trustedProxies.length > 0 ? [...config.trustedProxies] : false,
    // While stopping, what comes on an open connection is still served, and the connection closed.
    return503OnClosing: false,
    clientErrorHandler: answerMalformed(logger),
    frameworkErrors: createErrorHandler(),
    http: {
      maxHeaderSize: config.maxHeaderBytes,
      headersTimeout: config.headersTimeoutMs,
      requestTimeout: config.requestTimeoutMs,
      // How late a timeout may be noticed.
      connectionsCheckingInterval: Math.min(1_000, config.headersTimeoutMs / 4),
    },
  });
  app.server.maxConnections = config.maxConnections;
  return app;
}

async function addRoutes(app: App, deps: ServerDeps): Promise<void> {
  const readiness = createReadiness(deps.checks);
  const all: Routes[] = [
    (scope) => healthRoutes(scope, readiness),
    (scope) => metricsRoutes(scope, deps.registry),
    (scope) => keyRoutes(scope, deps.keys),
    ...deps.routes,
    ...(deps.config.docs ? [apiDocsRoutes] : []),
  ];
  for (const routes of all) {
    await app.register(async (scope: App) => {
      await routes(scope);
    });
  }
}

import { PlatformError } from '@posthaste/contracts';
import type { PoolStats } from '@posthaste/postgres';
import { collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import type { App } from '../app.js';
import type { RequestStep } from './request-steps.js';

/** Upper bounds in seconds: from an answer out of memory to one that no client waits for. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Records the duration of one answer. `startedAt` is on the clock of `performance.now`. */
type Observe = (statusCode: number, startedAt: number) => void;

/** Sets the arrival time of the request, for `addRequestMetrics`. */
export const startClock: RequestStep = (request) => {
  request.startedAt = performance.now();
  return undefined;
};

/**
 * Counts and times every answer by method, route (its pattern, not its path) and status class. The
 * time ends when the answer is handed to the socket. Watching the socket until it is sent would
 * cost more than most requests, and would measure the client more than the server.
 */
export function addRequestMetrics(app: App, registry: Registry): void {
  const histogram = new Histogram({
    name: 'posthaste_http_request_duration_seconds',
    help: 'Time from the headers of a request until its answer is sent.',
    labelNames: ['method', 'route', 'status'],
    buckets: durationBuckets,
    registers: [registry],
  });
  app.decorateRequest('startedAt', 0);
  app.addHook('onRoute', (route) => {
    const observe = createObserver(histogram, `${route.method}`, route.url);
    const others = route.onSend ?? [];
    route.onSend = [
      // biome-ignore lint/complexity/useMaxParams: Fastify's; without `done` each answer costs a promise
      (request, reply, _payload, done) => {
        // 0 where a library answers before `startClock`, as CORS does with preflight requests.
        if (request.startedAt > 0) observe(reply.statusCode, request.startedAt);
        done();
      },
      ...(Array.isArray(others) ? others : [others]),
    ];
  });
  // One series for all unknown routes: paths that callers make up must not become labels.
  const observeUnknown = createObserver(histogram, '', 'none');
  app.addHook('onError', async (request, _reply, error) => {
    if (request.is404 && error instanceof PlatformError) {
      observeUnknown(error.httpStatus, request.startedAt);
    }
  });
}

/**
 * Creates the function that records answers of a route. It looks labels up once per status class.
 */
function createObserver(histogram: Histogram, method: string, route: string): Observe {
  const byClass: Histogram.Internal<string>[] = [];
  return (statusCode, startedAt) => {
    const statusClass = Math.floor(statusCode / 100);
    byClass[statusClass] ??= histogram.labels({ method, route, status: `${statusClass}xx` });
    byClass[statusClass].observe((performance.now() - startedAt) / 1_000);
  };
}

/**
 * Adds memory, CPU, event loop and garbage collection of the process. Does so once per registry.
 */
export function addProcessMetrics(registry: Registry): void {
  if (registry.getSingleMetric('process_cpu_user_seconds_total')) return;
  collectDefaultMetrics({ register: registry });
}

/** Adds the use of the database's connections. Does so once per registry. */
export function addPoolMetrics(registry: Registry, poolStats: () => PoolStats): void {
  const name = 'posthaste_database_connections';
  if (registry.getSingleMetric(name)) return;
  new Gauge({
    name,
    help: 'Connections to the database, and calls that wait for one.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const { total, idle, waiting } = poolStats();
      this.set({ state: 'busy' }, total - idle);
      this.set({ state: 'idle' }, idle);
      this.set({ state: 'waiting' }, waiting);
    },
  });
}

/** Adds the number of clients that follow events. Does so once per registry. */
export function addFollowerMetrics(registry: Registry, followers: () => number): void {
  const name = 'posthaste_event_followers';
  if (registry.getSingleMetric(name)) return;
  new Gauge({
    name,
    help: 'Clients that follow events by server-sent events.',
    registers: [registry],
    collect() {
      this.set(followers());
    },
  });
}

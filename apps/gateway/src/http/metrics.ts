import { PlatformError } from '@posthaste/contracts';
import type { PoolStats } from '@posthaste/postgres';
import { collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import type { App } from '../app.js';
import type { RequestStep } from './request-steps.js';

/** Seconds. From what an answer from memory takes to what nobody waits for any more. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** `startedAt` is on the clock of `performance.now`. */
type Observe = (statusCode: number, startedAt: number) => void;

/** Notes when a request arrived, for `addRequestMetrics`. */
export const startClock: RequestStep = (request) => {
  request.startedAt = performance.now();
  return undefined;
};

/**
 * Counts and times every answer, by method, route (its pattern, not its path) and status class.
 * The time ends when the answer is handed to the socket: waiting for the socket costs more than
 * most requests, and says more of the client than of the server.
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
    const observe = observer(histogram, `${route.method}`, route.url);
    const others = route.onSend ?? [];
    route.onSend = [
      (request, reply, _payload, done) => {
        // 0 where a library answered before the request had arrived, as CORS does.
        if (request.startedAt > 0) observe(reply.statusCode, request.startedAt);
        done();
      },
      ...(Array.isArray(others) ? others : [others]),
    ];
  });
  // One series for all paths that lead nowhere: what callers make up must not become labels.
  const observeUnknown = observer(histogram, '', 'none');
  app.addHook('onError', (request, _reply, error, done) => {
    if (request.is404 && error instanceof PlatformError) {
      observeUnknown(error.httpStatus, request.startedAt);
    }
    done();
  });
}

/** The labels of a route never change: looked up once per status class, not per request. */
function observer(histogram: Histogram, method: string, route: string): Observe {
  const byClass: Histogram.Internal<string>[] = [];
  return (statusCode, startedAt) => {
    const statusClass = Math.floor(statusCode / 100);
    byClass[statusClass] ??= histogram.labels({ method, route, status: `${statusClass}xx` });
    byClass[statusClass].observe((performance.now() - startedAt) / 1_000);
  };
}

/** Memory, CPU, event loop and garbage collection of the process. Once per registry. */
export function addProcessMetrics(registry: Registry): void {
  if (registry.getSingleMetric('process_cpu_user_seconds_total')) return;
  collectDefaultMetrics({ register: registry });
}

/** Use of the database's connections. Once per registry. */
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

/** Clients that follow events. Once per registry. */
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

import { hopsHeader, PlatformError, parseHops } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import type { RequestStep } from './request-steps.js';

/** Returns the number of deliveries that led to the request; 0 if it was made by none. */
export function hopsOf(request: FastifyRequest): number {
  const header = request.raw.headers[hopsHeader];
  return parseHops(Array.isArray(header) ? header.join() : header);
}

/**
 * Creates the step that ends loops: it refuses a request that too many deliveries led to. Routes
 * that send again what was sent before refuse every delivery. Callbacks that replay themselves would
 * else multiply within the few hops that are allowed.
 */
export function createLoopStep(maxHops: number): RequestStep {
  return (request) => {
    if (request.raw.headers[hopsHeader] === undefined) return undefined;
    const { sendsAgain } = request.routeOptions.config ?? {};
    const hops = hopsOf(request);
    if (hops <= (sendsAgain ? 0 : maxHops)) return undefined;
    const message = sendsAgain
      ? 'a delivery of the platform may not send again what was sent before'
      : `the request is the last of ${hops} deliveries that each caused the next, and the limit (POSTHASTE_MAX_HOPS) is ${maxHops}`;
    return new PlatformError('LOOP_DETECTED', message);
  };
}

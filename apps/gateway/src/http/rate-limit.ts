import rateLimit from '@fastify/rate-limit';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.js';

const windowMs = 1_000;
/** Most callers that are counted at a time, per kind. */
const maxCallers = 50_000;

/** Counts a request. @throws PlatformError `RATE_LIMITED`, with Retry-After on the reply */
type Limit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** One limit, counted by API key or by address. */
export interface RateLimiter {
  /** Counts by API key; the request must have one. */
  readonly byKey: Limit;
  /** Counts by address. IPv6 addresses count by their /64 network, which is one subscriber. */
  readonly byAddress: Limit;
}

/** Creates the rate limiter. Returns `undefined` for a `maxPerSecond` of 0, which is no limit. */
export async function createRateLimiter(
  app: App,
  maxPerSecond: number,
): Promise<RateLimiter | undefined> {
  if (maxPerSecond === 0) return undefined;
  await app.register(rateLimit, {
    global: false,
    max: maxPerSecond,
    timeWindow: windowMs,
    cache: maxCallers,
  });
  const countKey = app.createRateLimit({ keyGenerator: (request) => request.apiKey?.id ?? '' });
  const countAddress = app.createRateLimit({});
  return { byKey: toLimit(countKey), byAddress: toLimit(countAddress) };
}

function toLimit(count: ReturnType<App['createRateLimit']>): Limit {
  return async (request, reply) => {
    const result = await count(request);
    if (result.isAllowed || !result.isExceeded) return;
    reply.header('retry-after', String(Math.max(1, result.ttlInSeconds)));
    throw new PlatformError(
      'RATE_LIMITED',
      `the caller has sent more than ${result.max} requests in a second`,
    );
  };
}

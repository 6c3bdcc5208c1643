import rateLimit from '@fastify/rate-limit';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.js';

const windowMs = 1_000;
/** Callers that are counted at a time, per kind. */
const maxCallers = 50_000;

/** @throws PlatformError `RATE_LIMITED`, with Retry-After on the reply */
type Limit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** The same limit, counted by who is known to call or by where the call comes from. */
export interface RateLimiter {
  /** By API key; the request must have one. */
  readonly byKey: Limit;
  /** By address; an IPv6 one counts with its /64, which is one subscriber. */
  readonly byAddress: Limit;
}

/** Creates the limits; `undefined` when `maxPerSecond` is 0. */
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
    throw new PlatformError('RATE_LIMITED', `more than ${result.max} requests in a second`);
  };
}

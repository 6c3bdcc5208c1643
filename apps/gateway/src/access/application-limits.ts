/*
 * Limits of applications. Routes declare what they add to one as `config.counts`; requests are
 * counted on every route.
 *
 * 1. A request of a caller for one application is counted before its body is read: a flood costs as
 *    little as one over the rate limit. If nothing of what its route adds is left, it is refused there,
 *    too: the items of a batch are not parsed to be refused one by one.
 * 2. Other requests are counted when their application is known (access/application-access.ts), and
 *    what they create then, too: each item of a batch by itself, so that only those over the limit
 *    are refused.
 *
 * Rates are those of one gateway process. Amounts were measured a few seconds ago by a worker
 * (`LimitDirectory` of the package access): a limit may be exceeded by what is accepted meanwhile.
 */

import type { ApplicationLimits, LimitDirectory, LimitName } from '@posthaste/access';
import { onlyApplication, PlatformError } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.js';
import { CountWindows } from '../http/limits/count-windows.js';
import type { CountedThing } from './application-source.js';

/** Methods of `LimitDirectory` that the limits use. */
export type ApplicationLimitSource = Pick<LimitDirectory, 'isActive' | 'limitOf' | 'usageOf'>;

type RateName = Extract<LimitName, `${string}PerSecond`>;
type AmountName = Exclude<LimitName, RateName>;

/** Limits of what a route adds. */
const limitsOf: Readonly<
  Record<CountedThing, { readonly rate?: RateName; readonly amounts: readonly AmountName[] }>
> = {
  deliveries: { rate: 'deliveriesPerSecond', amounts: ['backlog', 'storedBytes'] },
  events: { rate: 'eventsPerSecond', amounts: ['storedBytes'] },
  endpoints: { amounts: ['endpoints'] },
};

/** Names of what is limited, for people. */
const things: Readonly<Record<LimitName, string>> = {
  requestsPerSecond: 'requests in a second',
  deliveriesPerSecond: 'accepted callbacks in a second',
  eventsPerSecond: 'published events in a second',
  backlog: 'callbacks that are not finished',
  endpoints: 'endpoints',
  storedBytes: 'stored bytes',
};

/** Seconds after which a request may succeed: the next window, or the next measurement. */
const retryAfterSeconds: Readonly<Record<LimitName, number>> = {
  requestsPerSecond: 1,
  deliveriesPerSecond: 1,
  eventsPerSecond: 1,
  backlog: 5,
  endpoints: 60,
  storedBytes: 60,
};

/**
 * Time in which endpoints are counted here too, in ms: their number was measured that long ago at
 * most. Nobody creates endpoints so fast that counting some of them twice matters.
 */
const endpointWindowMs = 10_000;

/** Most errors that are kept. */
const maxErrors = 1_000;

const raisedBy =
  'an operator with a key for all applications: PATCH /v1/applications?application=<name>';

/** Thing that is added. `take` counts it, `hasLeft` only checks that one more may be added. */
interface ThingCount {
  readonly thing: CountedThing;
  readonly count: 'take' | 'hasLeft';
}

interface RateCount {
  readonly rate: RateName;
  readonly count: ThingCount['count'];
  /** Time of the request, on the clock of `performance.now`. */
  readonly now: number;
}

/** Counts what applications do, and refuses what is over their limits. */
export class ApplicationLimiter {
  readonly #source: ApplicationLimitSource;
  readonly #windows: Readonly<Record<RateName, CountWindows>> = {
    requestsPerSecond: new CountWindows(),
    deliveriesPerSecond: new CountWindows(),
    eventsPerSecond: new CountWindows(),
  };
  readonly #newEndpoints = new CountWindows(endpointWindowMs);
  /** Kept, because taking a stack trace per refusal would cost time that a flood is meant to cost. */
  readonly #errors = new Map<string, PlatformError>();

  constructor(source: ApplicationLimitSource) {
    this.#source = source;
  }

  /**
   * Counts a request before its body is read, if its caller is for one application. Returns the error
   * also if the application may not have one more of what the route adds.
   */
  countCaller(request: FastifyRequest): PlatformError | undefined {
    if (!this.#source.isActive) return undefined;
    const application = onlyApplication(request.caller.applications);
    if (application === undefined) return undefined;
    const { counts } = request.routeConfig;
    return (
      this.#countRequest(application, request.startedAt) ??
      (counts && this.#countThing(application, { thing: counts, count: 'hasLeft' }))
    );
  }

  /**
   * Counts a request whose application is known now, and what its route adds to it.
   * @throws PlatformError `LIMIT_REACHED`
   */
  count(application: string, request: FastifyRequest): void {
    if (!this.#source.isActive) return;
    const { counts, application: found, rateLimit } = request.routeConfig;
    const isOneRequest = found === 'named' && rateLimit !== false;
    const refused =
      (isOneRequest && onlyApplication(request.caller.applications) === undefined
        ? this.#countRequest(application, request.startedAt)
        : undefined) ??
      (counts && this.#countThing(application, { thing: counts, count: 'take' }));
    if (refused) throw refused;
  }

  /**
   * Counts an operation that is no request, with the events that it publishes. Returns the error if it
   * is over a limit.
   */
  countOperation(application: string, events: number): PlatformError | undefined {
    if (!this.#source.isActive) return undefined;
    let refused = this.#countRequest(application, performance.now());
    for (let left = events; left > 0 && refused === undefined; left -= 1) {
      refused = this.#countThing(application, { thing: 'events', count: 'take' });
    }
    return refused;
  }

  #countRequest(application: string, now: number): PlatformError | undefined {
    return this.#checkRate(application, { rate: 'requestsPerSecond', count: 'take', now });
  }

  #countThing(application: string, { thing, count }: ThingCount): PlatformError | undefined {
    const now = performance.now();
    const { rate, amounts } = limitsOf[thing];
    for (const name of amounts) {
      const max = this.#source.limitOf(application, name);
      // Infinite for most: no usage is looked up for them.
      if (max === Number.POSITIVE_INFINITY) continue;
      const left = max - this.#source.usageOf(application, name);
      const fits =
        thing === 'endpoints' ? this.#newEndpoints[count](application, left, now) : left > 0;
      if (!fits) return this.#limitReached(application, name, max);
    }
    if (rate === undefined) return undefined;
    return this.#checkRate(application, { rate, count, now });
  }

  #checkRate(application: string, { rate, count, now }: RateCount): PlatformError | undefined {
    const max = this.#source.limitOf(application, rate);
    if (max === Number.POSITIVE_INFINITY) return undefined;
    return this.#windows[rate][count](application, max, now)
      ? undefined
      : this.#limitReached(application, rate, max);
  }

  #limitReached(application: string, limit: LimitName, max: number): PlatformError {
    const key = `${limit} ${max} ${application}`;
    const known = this.#errors.get(key);
    if (known) return known;
    if (this.#errors.size >= maxErrors) this.#errors.clear();
    const error = limitReached(application, limit, max);
    this.#errors.set(key, error);
    return error;
  }
}

/** Limits of a server without a database: none. */
export const noLimits: ApplicationLimitSource = {
  isActive: false,
  limitOf: () => Number.POSITIVE_INFINITY,
  usageOf: () => 0,
};

/**
 * Adds the count of requests to all routes that are registered after this call, behind the check of
 * the caller.
 */
export function addCallerLimits(app: App, limiter: ApplicationLimiter): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.rateLimit === false) return;
    const others = route.onRequest ?? [];
    route.onRequest = [
      ...(Array.isArray(others) ? others : [others]),
      (request, reply, done) => {
        const refused = limiter.countCaller(request);
        if (refused) setRetryAfter(reply, refused);
        done(refused);
      },
    ];
  });
}

/** Sets Retry-After for an error with the time in its details. */
export function setRetryAfter(reply: FastifyReply, { details }: PlatformError): void {
  if (typeof details !== 'object' || details === null || !('retryAfterSeconds' in details)) return;
  reply.header('retry-after', String(details.retryAfterSeconds));
}

/** Returns the limits that the settings give to applications without limits of their own. */
export function toDefaultLimits(config: {
  readonly maxApplicationRequests: number;
  readonly maxApplicationDeliveries: number;
  readonly maxApplicationEvents: number;
  readonly maxApplicationBacklog: number;
  readonly maxApplicationEndpoints: number;
  readonly maxApplicationStoredBytes: number;
}): ApplicationLimits {
  return {
    requestsPerSecond: config.maxApplicationRequests || null,
    deliveriesPerSecond: config.maxApplicationDeliveries || null,
    eventsPerSecond: config.maxApplicationEvents || null,
    backlog: config.maxApplicationBacklog || null,
    endpoints: config.maxApplicationEndpoints || null,
    storedBytes: config.maxApplicationStoredBytes || null,
  };
}

function limitReached(application: string, limit: LimitName, max: number): PlatformError {
  const seconds = retryAfterSeconds[limit];
  return new PlatformError(
    'LIMIT_REACHED',
    `the application '${application}' has its limit of ${max} ${things[limit]} (${limit}); try again in ${seconds} s, or have the limit raised by ${raisedBy}`,
    { details: { application, limit, max, retryAfterSeconds: seconds, raisedBy } },
  );
}

import type { Caller } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toClientNetwork } from '../client-address.js';
import { CountWindows } from './count-windows.js';

/** Seconds until the next window. */
const retryAfter = '1';

/** Limits of the requests that one gateway process accepts. 0 is no limit. */
export interface RateLimits {
  /** `loopback` has no keys: each address has the limits of a key. */
  readonly access: 'loopback' | 'keys';
  /** Requests per second with one API key. */
  readonly maxRequestsPerSecond: number;
  /** Requests per second of one address without a key that is known. */
  readonly maxRequestsPerSecondWithoutKey: number;
}

/** One kind of callers, with the limits of each. */
class Callers {
  readonly #perSecond: number;
  readonly #requests = new CountWindows();
  // Created once: taking a stack trace per refusal would cost time that a flood is meant to cost.
  readonly #tooMany: PlatformError;

  constructor(perSecond: number) {
    this.#perSecond = perSecond || Number.POSITIVE_INFINITY;
    const message = `the caller has sent more than ${perSecond} requests in a second`;
    this.#tooMany = new PlatformError('RATE_LIMITED', message);
  }

  /** Counts something that is no request. Returns false if it is over the limit. */
  take(caller: string): boolean {
    return this.#requests.take(caller, this.#perSecond, performance.now());
  }

  /** True if `take` would return true now. */
  hasLeft(caller: string): boolean {
    return this.#requests.hasLeft(caller, this.#perSecond, performance.now());
  }

  /** Counts a request. Returns the error if it is over a limit, and sets Retry-After. */
  count(caller: string, request: FastifyRequest, reply: FastifyReply): PlatformError | undefined {
    if (this.#requests.take(caller, this.#perSecond, request.startedAt)) return undefined;
    reply.header('retry-after', retryAfter);
    return this.#tooMany;
  }
}

/**
 * Counts the requests of each caller, in windows of a second. Every request passes it: it allocates
 * something only for a caller that is new and for a refusal, and needs no promise.
 */
export class RateLimiter {
  readonly #keys: Callers;
  readonly #addresses: Callers;

  constructor({ access, ...limits }: RateLimits) {
    const { maxRequestsPerSecond, maxRequestsPerSecondWithoutKey } = limits;
    this.#keys = new Callers(maxRequestsPerSecond);
    this.#addresses = new Callers(
      access === 'loopback' ? maxRequestsPerSecond : maxRequestsPerSecondWithoutKey,
    );
  }

  /** Counts by API key; the request must have one. Returns the error if it is over a limit. */
  byKey(request: FastifyRequest, reply: FastifyReply): PlatformError | undefined {
    const { id, countedAs = id } = request.caller;
    return this.#keys.count(countedAs, request, reply);
  }

  /** Counts an operation of a known key that is no request. Returns false if it is over the limit. */
  takeByKey({ id, countedAs = id }: Pick<Caller, 'id' | 'countedAs'>): boolean {
    return this.#keys.take(countedAs);
  }

  /** True if an address, as the server knows it, has not reached its limit of requests. */
  hasLeftForAddress(address: string): boolean {
    return this.#addresses.hasLeft(toClientNetwork(address));
  }

  /** Counts something of an address that is no request. */
  takeByAddress(address: string): void {
    this.#addresses.take(toClientNetwork(address));
  }

  /** Counts by address, IPv6 by its /64 network. Returns the error if it is over a limit. */
  byAddress(request: FastifyRequest, reply: FastifyReply): PlatformError | undefined {
    return this.#addresses.count(toClientNetwork(request.ip), request, reply);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { toCaller, toClientNetwork } from '../client-address.js';
import { LeakyBuckets } from './leaky-buckets.js';

/** Seconds' worth of faults that are answered at once, after a pause. */
const burstSeconds = 2;
/** Longest time that an answer is held back, in ms: shorter than clients wait. */
const maxWaitMs = 10_000;
/** Bytes of a faulty body that count as much as a faulty request. */
const bytesPerFault = 4_096;
/** Size that is assumed of a faulty body in chunks. */
const chunkedBytes = 102_400;
/** Faulty items of a batch that count as much as a faulty request. */
const itemsPerFault = 10;

/** Statuses of requests that cost work and are the caller's fault. */
const faultStatuses: ReadonlySet<number> = new Set([400, 401, 413, 415, 422, 429]);

/**
 * Delays answers to callers that go on sending faulty requests, or more than they may. Refusing is
 * work too: a caller that does not stop gets its refusals slower, and has to wait for each on its
 * connection. What others may do, and right requests of the same caller, are not slowed down.
 */
export class FaultDelay {
  readonly #buckets: LeakyBuckets | undefined;

  /** @param maxFaultsPerSecond of one caller that are answered at once; 0 is no limit */
  constructor(maxFaultsPerSecond: number) {
    const burst = maxFaultsPerSecond * burstSeconds;
    this.#buckets =
      maxFaultsPerSecond === 0
        ? undefined
        : new LeakyBuckets({ perSecond: maxFaultsPerSecond, burst });
  }

  /** Returns the time for which the answer with this status is held back, in ms. */
  ofAnswer(request: FastifyRequest, status: number): number {
    if (!faultStatuses.has(status)) return 0;
    return this.#count(request, 1 + (status === 429 ? 0 : bodyBytes(request) / bytesPerFault));
  }

  /** Waits, before a batch is answered, if the caller sends many with faulty items. */
  async ofItems(
    request: FastifyRequest,
    items: readonly { readonly status: number }[],
  ): Promise<void> {
    const faulty = items.filter(({ status }) => faultStatuses.has(status)).length;
    const waitMs = faulty === 0 ? 0 : this.#count(request, faulty / itemsPerFault);
    if (waitMs > 0) await sleep(waitMs);
  }

  #count(request: FastifyRequest, amount: number): number {
    const limits = { now: performance.now(), maxWaitMs };
    // A full bucket takes nothing more: the caller is not locked out for longer.
    return this.#buckets === undefined
      ? 0
      : Math.floor(this.#buckets.pour(callerOf(request), amount, limits) ?? maxWaitMs);
  }
}

/** Returns the caller, or the address of one that was refused before it was known. */
function callerOf(request: FastifyRequest): string {
  return request.caller ? toCaller(request) : toClientNetwork(request.ip);
}

/** Returns the size of the body as the caller announced it. */
function bodyBytes({ raw }: FastifyRequest): number {
  if (raw.headers['transfer-encoding'] !== undefined) return chunkedBytes;
  return Number(raw.headers['content-length']) || 0;
}

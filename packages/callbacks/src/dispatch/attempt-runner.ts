import { PlatformError } from '@posthaste/contracts';
import {
  type AttemptSettings,
  buildRequest,
  type HttpClient,
  type Signer,
  sendsBody,
} from '../delivery/attempt-request.js';
import type { Attempt, Delivery, Verdict } from '../delivery/delivery.js';
import { classifyOutcome, type HostSignal } from '../delivery/outcome.js';
import type { AdmittedDelivery } from './admission.js';
import type { DatabaseClock } from './database-clock.js';
import type { BodySource } from './large-bodies.js';

/** Result of trying to make an attempt. */
export interface AttemptResult {
  /** Absent when nothing was sent. */
  readonly attempt: Attempt | undefined;
  readonly verdict: Verdict;
  /** Absent when the host was never asked. */
  readonly signal: HostSignal | undefined;
}

/** Dependencies of an {@link AttemptRunner}. */
export interface AttemptRunnerDeps {
  readonly http: HttpClient;
  readonly signer: Signer;
  readonly bodies: BodySource;
  readonly clock: DatabaseClock;
  readonly onError: (error: unknown, operation: string) => void;
}

/** Settings of an {@link AttemptRunner}; see `DispatcherOptions`. */
export interface AttemptRunnerOptions extends AttemptSettings {
  readonly leaseMs: number;
  readonly leaseMarginMs: number;
  readonly minRetryDelayMs: number;
}

/** Delay after a request could not be built, such as for a signing key that cannot be read. */
const unsendableDelayNs = 30_000_000_000n;
/** Delay after a large body found no memory for as long as its lease allowed. */
const noMemoryDelayNs = 1_000_000_000n;

/** Makes the attempt of a leased delivery, if enough time is left of its lease. */
export class AttemptRunner {
  readonly #deps: AttemptRunnerDeps;
  readonly #options: AttemptRunnerOptions;

  constructor(deps: AttemptRunnerDeps, options: AttemptRunnerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Makes one attempt. Never rejects: an error becomes a result without an attempt. */
  async run(admitted: AdmittedDelivery): Promise<AttemptResult> {
    const { clock, onError } = this.#deps;
    try {
      return await this.#runWithBody(admitted);
    } catch (error) {
      onError(error, `attempting callback ${admitted.delivery.callbackId}`);
      return toUnsendable(error, clock.now());
    }
  }

  /** Loads a large body first, and releases it after the attempt. */
  async #runWithBody(admitted: AdmittedDelivery): Promise<AttemptResult> {
    const { delivery, leasedAtMs } = admitted;
    const { request, largeBodyBytes } = delivery;
    if (largeBodyBytes === undefined || !sendsBody(delivery)) return this.#send(admitted);
    const { leaseMs, leaseMarginMs } = this.#options;
    const latestMs = leasedAtMs + leaseMs - this.#timeoutOf(delivery) - leaseMarginMs;
    const waitMs = latestMs - performance.now();
    const loaded = await this.#deps.bodies.load(delivery, largeBodyBytes, waitMs);
    if (!loaded) return retryAfter(noMemoryDelayNs);
    try {
      const whole = { ...delivery, request: { ...request, body: loaded.body } };
      return await this.#send({ ...admitted, delivery: whole });
    } finally {
      loaded.release();
    }
  }

  async #send({ delivery, endpoint, leasedAtMs }: AdmittedDelivery): Promise<AttemptResult> {
    const { http, signer, clock } = this.#deps;
    const { leaseMs, leaseMarginMs } = this.#options;
    const startedAtMs = clock.now();
    const built = await buildRequest(delivery, {
      endpointHeaders: endpoint?.headers,
      nowMs: startedAtMs,
      signer,
      settings: this.#options,
    });
    const request = { ...built, timeoutMs: this.#timeoutOf(delivery) };
    // A process that was stopped for a while continues here with a lease that another may hold.
    const leftMs = leasedAtMs + leaseMs - performance.now();
    if (leftMs < request.timeoutMs + leaseMarginMs) {
      return { attempt: undefined, verdict: { kind: 'release' }, signal: undefined };
    }
    const outcome = await http.send(request);
    const { minRetryDelayMs } = this.#options;
    const context = { startedAtMs, endedAtMs: clock.now(), minRetryDelayMs, random: Math.random() };
    return classifyOutcome(delivery, outcome, context);
  }

  /**
   * Returns the attempt's time-out. A callback that was accepted when leases were longer may ask
   * for more than fits.
   */
  #timeoutOf({ request }: Delivery): number {
    const { leaseMs, leaseMarginMs } = this.#options;
    return Math.min(request.timeoutMs, Math.max(1, leaseMs - 2 * leaseMarginMs));
  }
}

/** Returns the result of a delivery that was not sent and is due again after a delay. */
function retryAfter(delayNs: bigint, note?: string): AttemptResult {
  const verdict = { kind: 'retry', delayNs, ...(note === undefined ? {} : { note }) } as const;
  return { attempt: undefined, verdict, signal: undefined };
}

/**
 * Returns the result of a request that could not be built, which is not the receiver's fault. When
 * the signing secret was removed the callback fails; anything else may work later.
 */
function toUnsendable(error: unknown, nowMs: number): AttemptResult {
  if (error instanceof PlatformError && error.code === 'SECRET_UNREADABLE') {
    // Written down, because neither the receiver nor the retry policy is told of it.
    const note = `not sent: ${error.message}`;
    return retryAfter(unsendableDelayNs, note);
  }
  const secretRemoved = error instanceof PlatformError && error.code === 'SECRET_NOT_FOUND';
  if (!secretRemoved) return retryAfter(unsendableDelayNs);
  const attempt: Attempt = {
    startedAtMs: nowMs,
    durationNs: 0n,
    statusCode: 0,
    reason: 'protocol',
    detail: `${error.message}; a request that cannot be signed is not sent`,
    responseHeaders: undefined,
    responseBody: undefined,
    truncated: false,
    cut: false,
    resent: false,
  };
  return { attempt, verdict: { kind: 'ended', ending: 'failed' }, signal: undefined };
}

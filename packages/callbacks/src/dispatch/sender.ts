import { PlatformError } from '@posthaste/contracts';
import {
  type AttemptSettings,
  buildRequest,
  type HttpClient,
  type Signer,
  sendsBody,
} from '../delivery/attempt-request.js';
import type { Attempt, Delivery, Verdict } from '../delivery/delivery.js';
import type { HostSignal } from '../delivery/outcome.js';
import { classifyOutcome } from '../delivery/outcome.js';
import type { Admitted } from './admission.js';
import type { DatabaseClock } from './database-clock.js';
import type { BodySource } from './large-bodies.js';

/** What came of a delivery whose turn it was. */
export interface Sent {
  readonly attempt: Attempt | undefined;
  readonly verdict: Verdict;
  /** What the attempt told about its host; absent when that was never asked. */
  readonly signal: HostSignal | undefined;
}

export interface SenderDeps {
  readonly http: HttpClient;
  readonly signer: Signer;
  readonly bodies: BodySource;
  readonly clock: DatabaseClock;
  readonly onError: (error: unknown, doing: string) => void;
}

export interface SenderOptions extends AttemptSettings {
  readonly leaseMs: number;
  /** No attempt starts unless its time-out and this are left of the lease, in ms. */
  readonly leaseMarginMs: number;
}

/** When nothing could be sent for a reason of this side's, such as a key that cannot be read. */
const unsendableDelayNs = 30_000_000_000n;
/** When there was no room for a large body for as long as its lease allowed. */
const noRoomDelayNs = 1_000_000_000n;

/** Makes one attempt after another, each within its lease. */
export class Sender {
  readonly #deps: SenderDeps;
  readonly #options: SenderOptions;

  constructor(deps: SenderDeps, options: SenderOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Attempts a delivery, if its lease still has the time for it. Never rejects. */
  async send(admitted: Admitted): Promise<Sent> {
    const { clock, onError } = this.#deps;
    try {
      return await this.#attempt(admitted);
    } catch (error) {
      onError(error, `attempting callback ${admitted.delivery.callbackId}`);
      return unsendable(error, clock.now());
    }
  }

  async #attempt(admitted: Admitted): Promise<Sent> {
    const { delivery, leasedAtMs } = admitted;
    const { request, largeBodyBytes } = delivery;
    if (largeBodyBytes === undefined || !sendsBody(delivery)) return this.#send(admitted);
    const { leaseMs, leaseMarginMs } = this.#options;
    const latestMs = leasedAtMs + leaseMs - this.#timeoutOf(delivery) - leaseMarginMs;
    const waitMs = latestMs - performance.now();
    const held = await this.#deps.bodies.hold(delivery, largeBodyBytes, waitMs);
    if (!held) return later(noRoomDelayNs);
    try {
      const whole = { ...delivery, request: { ...request, body: held.body } };
      return await this.#send({ ...admitted, delivery: whole });
    } finally {
      held.release();
    }
  }

  async #send({ delivery, endpoint, leasedAtMs }: Admitted): Promise<Sent> {
    const { http, signer, clock } = this.#deps;
    const { leaseMs, leaseMarginMs } = this.#options;
    const startedAtMs = clock.now();
    const built = await buildRequest(
      delivery,
      endpoint?.headers,
      startedAtMs,
      signer,
      this.#options,
    );
    const request = { ...built, timeoutMs: this.#timeoutOf(delivery) };
    // A process that was stopped for a while wakes up here with a lease that another may hold.
    const leftMs = leasedAtMs + leaseMs - performance.now();
    if (leftMs < request.timeoutMs + leaseMarginMs) {
      return { attempt: undefined, verdict: { kind: 'release' }, signal: undefined };
    }
    const outcome = await http.send(request);
    return classifyOutcome(delivery, outcome, startedAtMs, clock.now(), Math.random());
  }

  /** Taken in when leases were longer, it may ask for more than fits into one. */
  #timeoutOf({ request }: Delivery): number {
    const { leaseMs, leaseMarginMs } = this.#options;
    return Math.min(request.timeoutMs, Math.max(1, leaseMs - 2 * leaseMarginMs));
  }
}

/** Nothing was sent, and nothing is for a while. */
function later(delayNs: bigint): Sent {
  return { attempt: undefined, verdict: { kind: 'retry', delayNs }, signal: undefined };
}

/** An attempt that failed before anything could be sent: not the receiver's doing. */
function unsendable(error: unknown, nowMs: number): Sent {
  const gone = error instanceof PlatformError && error.code === 'SECRET_NOT_FOUND';
  if (!gone) return later(unsendableDelayNs);
  const attempt: Attempt = {
    startedAtMs: nowMs,
    durationNs: 0n,
    statusCode: 0,
    reason: 'protocol',
    detail: `${error.message}: what cannot be signed is not sent`,
    responseHeaders: undefined,
    responseBody: undefined,
    truncated: false,
    cut: false,
    resent: false,
  };
  return { attempt, verdict: { kind: 'ended', ending: 'failed' }, signal: undefined };
}

import { withTimeout } from '@posthaste/contracts';
import type { Database, Listener } from '@posthaste/postgres';
import type { HttpClient, Signer } from '../delivery/attempt-request.js';
import type { Attempt, Delivery, DeliveryResult, Verdict } from '../delivery/delivery.js';
import { type CallbackEventSink, noEvents } from '../events/callback-events.js';
import { Recorder } from '../results/recorder.js';
import type { RecordedResult } from '../results/result-store.js';
import { Admission, type AdmittedDelivery, type EndpointDirectory } from './admission.js';
import { AttemptRunner } from './attempt-runner.js';
import type { Claim } from './claim-store.js';
import { Claimer } from './claimer.js';
import { DatabaseClock } from './database-clock.js';
import {
  type DispatcherOptions,
  type ResolvedDispatcherOptions,
  resolveDispatcherOptions,
} from './dispatcher-options.js';
import { DuePoller } from './due-poller.js';
import { LargeBodies } from './large-bodies.js';
import { ReceiverPauses } from './receiver-pauses.js';
import { Slots } from './slots.js';

/** Receiver of a dispatcher's metrics and errors. Its methods must not throw. */
export interface DispatcherObserver {
  /** A claim returned `count` callbacks, 1 or more, after `durationMs`. */
  claimed(count: number, durationMs: number): void;
  attempted(delivery: Delivery, attempt: Attempt, verdict: Verdict): void;
  /** Results were dropped, because another worker holds the lease by now. */
  leasesLost(count: number): void;
  /** Leases expired that their workers had not released; the callbacks are sent again. */
  leasesExpired(count: number): void;
  /** An operation failed, such as "claiming callbacks". The dispatcher continues. */
  error(error: unknown, operation: string): void;
}

/** Dependencies of a dispatcher. */
export interface DispatcherDeps {
  /** Needs `callbacksMigrations`; sessions with `deliverySessionSettings`. */
  readonly db: Database;
  readonly http: HttpClient;
  readonly signer: Signer;
  readonly endpoints: EndpointDirectory;
  readonly observer: DispatcherObserver;
  /** Receiver of events, in the transaction of the results that they are about. Default: none. */
  readonly events?: CallbackEventSink | undefined;
}

/** Unwritten results above which nothing is claimed: slow writes must not fill the memory. */
const maxUnwritten = 4_096;

/**
 * Delivers callbacks: claims those that are due, makes an attempt for each and records the results.
 *
 * - The due poller promotes callbacks that are due, and ends expired leases (due-poller.ts).
 * - The claimer leases as many as there are free slots (claimer.ts, claim-store.ts).
 * - Admission gives each a slot, or refuses it: cancelled, expired, endpoint not active, too many
 *   unknown outcomes, receiver paused (receiver-pauses.ts), no slot (admission.ts).
 * - The attempt runner makes the HTTP request, if enough of the lease is left (attempt-runner.ts).
 * - The recorder writes results in batches (recorder.ts, result-store.ts).
 *
 * States of a delivery here: claimed → admitted (it has a slot) → attempted → recorded, or
 * claimed → refused → recorded. Invariants:
 * - A callback is claimed only when it can be attempted at once. Nothing is claimed before a slot
 *   is
 *   free, so after a crash only attempts that were really in flight have an unknown outcome.
 * - In an ordered queue the next callback starts only after the result before it is committed. The
 *   write of a result that keeps the lease returns the next callback, which takes over the slot.
 * - Each slot that admission acquired is released once: after the attempt, or, while the lease is
 *   kept, after the write of its result.
 */
export class Dispatcher {
  readonly #db: Database;
  readonly #endpoints: EndpointDirectory;
  readonly #observer: DispatcherObserver;
  readonly #options: ResolvedDispatcherOptions;
  readonly #slots: Slots;
  readonly #pauses = new ReceiverPauses();
  readonly #claimer: Claimer;
  readonly #admission: Admission;
  readonly #runner: AttemptRunner;
  readonly #recorder: Recorder;
  readonly #duePoller: DuePoller;
  readonly #clock = new DatabaseClock();
  #listener: Listener | undefined;
  #stopping = false;
  #onIdle: (() => void) | undefined;

  /** @throws PlatformError `OPTION_INVALID` */
  constructor(deps: DispatcherDeps, options: DispatcherOptions = {}) {
    const resolved = resolveDispatcherOptions(options);
    const { db, observer } = deps;
    this.#db = db;
    this.#endpoints = deps.endpoints;
    this.#observer = observer;
    this.#options = resolved;
    this.#slots = new Slots(resolved.slots);
    this.#claimer = new Claimer(db, this.#slots, {
      ...resolved,
      isBehind: () => this.#recorder.size > maxUnwritten,
      onClaim: (claim, askedAtMs) => this.#onClaim(claim, askedAtMs),
      onError: (error) => observer.error(error, 'claiming callbacks'),
    });
    this.#admission = new Admission({
      slots: this.#slots,
      pauses: this.#pauses,
      endpoints: deps.endpoints,
      clock: this.#clock,
      maxUnknowns: resolved.maxUnknowns,
      onAdmitted: (admitted) => void this.#attempt(admitted),
      onRefused: (delivery, verdict) =>
        this.#recorder.add({ delivery, attempt: undefined, verdict, keepLease: false }),
    });
    this.#runner = new AttemptRunner(
      {
        http: deps.http,
        signer: deps.signer,
        bodies: new LargeBodies(db, resolved.maxLargeBodyBytes),
        clock: this.#clock,
        onError: (error, operation) => observer.error(error, operation),
      },
      resolved,
    );
    this.#duePoller = new DuePoller(db, {
      pollMs: resolved.pollMs,
      onPoll: ({ expiredLeases, nowMs }, askedAtMs) => {
        this.#clock.set(nowMs, askedAtMs);
        if (expiredLeases > 0) observer.leasesExpired(expiredLeases);
        this.#claimer.notifyWork();
      },
      onError: (error) => observer.error(error, 'polling for due callbacks'),
    });
    this.#recorder = new Recorder(
      db,
      {
        events: deps.events ?? noEvents,
        leaseMs: resolved.leaseMs,
        windowMs: resolved.recordWindowMs,
        orderedWindowMs: resolved.orderedRecordWindowMs,
        maxBatch: resolved.maxBatch,
      },
      {
        recorded: (recorded, askedAtMs) => this.#onRecorded(recorded, askedAtMs),
        lost: (count, results) => this.#onLost(count, results),
        failed: (error) => observer.error(error, 'recording results'),
      },
    );
  }

  /** Attempts in flight, and slots of ordered queues whose result is being written. */
  get inFlight(): number {
    return this.#slots.inFlight;
  }

  /** Starts to deliver. @throws PlatformError `DATABASE_*` */
  async start(): Promise<void> {
    const notifyWork = (): void => this.#claimer.notifyWork();
    // First, because it sets the clock by which attempts are timed.
    await this.#duePoller.start();
    try {
      this.#listener = await this.#db.listen('callbacks_due', notifyWork, notifyWork);
    } catch (error) {
      this.#duePoller.close();
      await this.#claimer.close();
      throw error;
    }
  }

  /**
   * Claims no more, waits up to `graceMs` for attempts in flight and records their results.
   * Callbacks whose result is not recorded by then stay leased until their lease expires.
   * Idempotent.
   */
  async close(graceMs: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#duePoller.close();
    const admitted = Promise.all([this.#claimer.close(), this.#admission.close()]);
    await this.#listener?.close();
    const finished = admitted.then(() => this.#finish());
    await withTimeout(finished, graceMs, () => undefined);
    this.#recorder.abandon();
  }

  /** Waits until all slots are free and all results are written. Nothing more can start by then. */
  async #finish(): Promise<void> {
    if (this.#slots.inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#recorder.drain();
  }

  async #onClaim(claim: Claim, askedAtMs: number): Promise<void> {
    if (claim.deliveries.length === 0) return;
    this.#observer.claimed(claim.deliveries.length, performance.now() - askedAtMs);
    await this.#admission.admit(claim.deliveries, askedAtMs);
  }

  async #attempt(admitted: AdmittedDelivery): Promise<void> {
    const { delivery } = admitted;
    const { attempt, verdict: decided, signal } = await this.#runner.run(admitted);
    if (signal) {
      const moment = { nowMs: performance.now(), random: Math.random() };
      const isPaused = this.#pauses.report(delivery, signal, moment);
      this.#slots.report(delivery.fairnessKey, signal, { ...moment, isPaused });
    }
    const verdict = this.#delayWhileSuspended(delivery, decided);
    if (attempt) this.#observer.attempted(delivery, attempt, verdict);
    const keepLease =
      attempt !== undefined &&
      delivery.ordered &&
      delivery.leaseIndex + 1 < this.#options.maxPerLease &&
      !this.#stopping;
    // With a kept lease, the slot is for the next callback too, once the result is committed.
    if (!keepLease) this.#releaseSlot(delivery);
    this.#recorder.add({ delivery, attempt, verdict, keepLease });
  }

  /** Moves a retry to the end of its origin's suspension or its receiver's pause. */
  #delayWhileSuspended(delivery: Delivery, verdict: Verdict): Verdict {
    if (verdict.kind !== 'retry') return verdict;
    const nowMs = performance.now();
    const suspendedUntilMs = this.#slots.suspendedUntil(delivery.fairnessKey, nowMs) ?? nowMs;
    const pausedUntilMs = this.#pauses.pausedUntil(delivery, nowMs) ?? nowMs;
    const waitMs = Math.max(suspendedUntilMs, pausedUntilMs) - nowMs;
    const waitNs = BigInt(Math.ceil(waitMs)) * 1_000_000n;
    return waitNs > verdict.delayNs ? { kind: 'retry', delayNs: waitNs } : verdict;
  }

  #releaseSlot(delivery: Delivery): void {
    this.#slots.release(delivery.fairnessKey, performance.now());
    this.#claimer.notifySlotFreed();
    if (this.#slots.inFlight === 0) this.#onIdle?.();
  }

  #onRecorded(recorded: readonly RecordedResult[], askedAtMs: number): void {
    const followers: Delivery[] = [];
    for (const { result, ending, next } of recorded) {
      const { delivery, keepLease, verdict } = result;
      if (keepLease) this.#releaseSlot(delivery);
      if (verdict.kind === 'ended' && verdict.endpointGone) {
        this.#endpoints.forget(delivery.endpointId ?? '');
      }
      if (next) followers.push(next);
      // If its queue has more callbacks, they continue under another lease.
      else if (ending && delivery.ordered && !keepLease) this.#claimer.notifyWork();
      if (verdict.kind === 'retry') {
        this.#duePoller.pollWithin(Number(verdict.delayNs / 1_000_000n) + 1);
      }
    }
    if (followers.length === 0) return;
    this.#admission.admit(followers, askedAtMs).catch((error: unknown) => {
      this.#observer.error(error, 'continuing queues');
    });
  }

  #onLost(count: number, results: readonly DeliveryResult[]): void {
    this.#observer.leasesLost(count);
    for (const { delivery, keepLease } of results) if (keepLease) this.#releaseSlot(delivery);
  }
}

import { withTimeout } from '@posthaste/contracts';
import type { Database, Listener } from '@posthaste/postgres';
import type { AttemptSettings, HttpClient, Signer } from '../delivery/attempt-request.js';
import type { Attempt, Delivery, DeliveryResult, Verdict } from '../delivery/delivery.js';
import { Recorder } from '../results/recorder.js';
import type { ResultEffects } from '../results/result-effects.js';
import type { Recorded } from '../results/result-store.js';
import { Admission, type Admitted, type EndpointDirectory } from './admission.js';
import type { Claim } from './claim-store.js';
import { Claimer } from './claimer.js';
import { DatabaseClock } from './database-clock.js';
import { DuePoller } from './due-poller.js';
import { LargeBodies } from './large-bodies.js';
import { Sender } from './sender.js';
import { type SlotLimits, Slots } from './slots.js';

/** Told of what happens, for metrics and logs. Must not throw. */
export interface DispatcherObserver {
  claimed(count: number, durationMs: number): void;
  attempted(delivery: Delivery, attempt: Attempt, verdict: Verdict): void;
  /** Results that were dropped, because their lease had been lost. */
  lost(count: number): void;
  /** Leases of workers that vanished, taken over. */
  tookOver(count: number): void;
  error(error: unknown, doing: string): void;
}

export interface DispatcherOptions extends AttemptSettings {
  /** Machine and process, as the history shows it. */
  readonly holder: string;
  readonly leaseMs: number;
  /** No attempt starts unless its time-out and this are left of the lease, in ms. */
  readonly leaseMarginMs: number;
  readonly slots: SlotLimits;
  /** Callbacks of one queue in a row under one lease. */
  readonly maxChain: number;
  /** Attempts of unknown outcome after which a callback fails for good. */
  readonly maxUnknowns: number;
  /** The database is asked for due work at least this often, in ms. */
  readonly pollMs: number;
  /** Results wait this long for others to share their write, in ms. */
  readonly recordWindowMs: number;
  /** The same in ordered queues, whose next callback waits for it. */
  readonly orderedRecordWindowMs: number;
  /** Rows of one claim or one write of results at most. */
  readonly maxBatch: number;
  /** Bodies of more than 32 KiB in memory at once, in bytes; a larger one is there alone. */
  readonly maxLargeBodyBytes: number;
}

export interface DispatcherDeps {
  readonly db: Database;
  readonly http: HttpClient;
  readonly signer: Signer;
  readonly endpoints: EndpointDirectory;
  readonly observer: DispatcherObserver;
  /** What is written with results, in their transaction. */
  readonly effects: ResultEffects;
}

/** Results that may wait to be written before nothing more is claimed: slow writes bound the memory. */
const maxUnwritten = 4_096;

/**
 * Claims due callbacks, attempts them, records what came of it.
 *
 * A claim is the start of its attempts: nothing is claimed ahead of a free slot, so that a crash
 * leaves no attempt in doubt but those that were really under way. In an ordered queue the next
 * callback starts only after the result of the one before it is committed.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #options: DispatcherOptions;
  readonly #slots: Slots;
  readonly #claimer: Claimer;
  readonly #admission: Admission;
  readonly #sender: Sender;
  readonly #recorder: Recorder;
  readonly #waker: DuePoller;
  readonly #clock = new DatabaseClock();
  #listener: Listener | undefined;
  #stopping = false;
  #allGiven: (() => void) | undefined;

  constructor(deps: DispatcherDeps, options: DispatcherOptions) {
    this.#deps = deps;
    this.#options = options;
    const { db, observer } = deps;
    this.#slots = new Slots(options.slots);
    this.#claimer = new Claimer(db, this.#slots, {
      ...options,
      isBehind: () => this.#recorder.size > maxUnwritten,
      onClaim: (claim, askedAtMs) => this.#onClaim(claim, askedAtMs),
      onError: (error) => observer.error(error, 'claiming callbacks'),
    });
    this.#admission = new Admission({
      slots: this.#slots,
      endpoints: deps.endpoints,
      clock: this.#clock,
      maxUnknowns: options.maxUnknowns,
      onAdmitted: (admitted) => void this.#attempt(admitted),
      onRefused: (delivery, verdict) =>
        this.#recorder.add({ delivery, attempt: undefined, verdict, chain: false }),
    });
    this.#sender = new Sender(
      {
        ...deps,
        bodies: new LargeBodies(db, options.maxLargeBodyBytes),
        clock: this.#clock,
        onError: (error, doing) => observer.error(error, doing),
      },
      options,
    );
    this.#waker = new DuePoller(db, {
      pollMs: options.pollMs,
      onPoll: ({ lost, nowMs }, askedAtMs) => {
        this.#clock.set(nowMs, askedAtMs);
        if (lost > 0) observer.tookOver(lost);
        this.#claimer.wake();
      },
      onError: (error) => observer.error(error, 'looking for due callbacks'),
    });
    this.#recorder = new Recorder(
      db,
      {
        ...deps,
        leaseMs: options.leaseMs,
        windowMs: options.recordWindowMs,
        orderedWindowMs: options.orderedRecordWindowMs,
        maxBatch: options.maxBatch,
      },
      {
        recorded: (recorded, askedAtMs) => this.#onRecorded(recorded, askedAtMs),
        lost: (count, careful) => this.#onLost(count, careful),
        failed: (error) => observer.error(error, 'recording results'),
      },
    );
  }

  /** Attempts under way. */
  get inFlight(): number {
    return this.#slots.inFlight;
  }

  /** @throws PlatformError `DATABASE_*` when the database is not there */
  async start(): Promise<void> {
    const wake = (): void => this.#claimer.wake();
    // First, because it sets the clock by which attempts are timed.
    await this.#waker.start();
    try {
      this.#listener = await this.#deps.db.listen('callbacks_due', wake, wake);
    } catch (error) {
      this.#waker.close();
      await this.#claimer.close();
      throw error;
    }
  }

  /**
   * Claims no more, waits up to `graceMs` for what is in flight and records it. What is not done
   * by then is left to the end of its lease. Idempotent.
   */
  async close(graceMs: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#waker.close();
    const taken = Promise.all([this.#claimer.close(), this.#admission.close()]);
    await this.#listener?.close();
    const finished = taken.then(() => this.#finish());
    await withTimeout(finished, graceMs, () => undefined);
    this.#recorder.abandon();
  }

  /** Once nothing more can start. */
  async #finish(): Promise<void> {
    if (this.#slots.inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#allGiven = resolve;
      });
    }
    await this.#recorder.drain();
  }

  async #onClaim(claim: Claim, askedAtMs: number): Promise<void> {
    if (claim.deliveries.length === 0) return;
    this.#deps.observer.claimed(claim.deliveries.length, performance.now() - askedAtMs);
    await this.#admission.admit(claim.deliveries, askedAtMs);
  }

  async #attempt(admitted: Admitted): Promise<void> {
    const { delivery } = admitted;
    const { attempt, verdict: judged, signal } = await this.#sender.send(admitted);
    if (signal) this.#slots.report(delivery.fairnessKey, signal, performance.now(), Math.random());
    const verdict = this.#onceOpen(delivery, judged);
    if (attempt) this.#deps.observer.attempted(delivery, attempt, verdict);
    const { maxChain } = this.#options;
    const chain =
      attempt !== undefined && delivery.ordered && delivery.place + 1 < maxChain && !this.#stopping;
    // A chain keeps its slot until its result is committed, and then goes on in it.
    if (!chain) this.#give(delivery);
    this.#recorder.add({ delivery, attempt, verdict, chain });
  }

  /** Nothing is sent to an origin that is closed: what is tried again is due when it opens. */
  #onceOpen({ fairnessKey }: Delivery, verdict: Verdict): Verdict {
    if (verdict.kind !== 'retry') return verdict;
    const nowMs = performance.now();
    const waitMs = (this.#slots.closedUntil(fairnessKey, nowMs) ?? nowMs) - nowMs;
    const waitNs = BigInt(Math.ceil(waitMs)) * 1_000_000n;
    return waitNs > verdict.delayNs ? { kind: 'retry', delayNs: waitNs } : verdict;
  }

  #give(delivery: Delivery): void {
    this.#slots.release(delivery.fairnessKey, performance.now());
    this.#claimer.freed();
    if (this.#slots.inFlight === 0) this.#allGiven?.();
  }

  #onRecorded(recorded: readonly Recorded[], askedAtMs: number): void {
    const next: Delivery[] = [];
    for (const entry of recorded) {
      const { ending, result } = entry;
      const { delivery, chain, verdict, attempt } = result;
      if (chain) this.#give(delivery);
      if (attempt?.statusCode === 410) this.#deps.endpoints.forget(delivery.endpointId ?? '');
      if (entry.next) next.push(entry.next);
      // Its queue goes on under another lease, if there is more in it.
      else if (ending && delivery.ordered && !chain) this.#claimer.wake();
      if (verdict.kind === 'retry') this.#waker.within(Number(verdict.delayNs / 1_000_000n) + 1);
    }
    if (next.length === 0) return;
    this.#admission.admit(next, askedAtMs).catch((error: unknown) => {
      this.#deps.observer.error(error, 'going on with queues');
    });
  }

  #onLost(count: number, results: readonly DeliveryResult[]): void {
    this.#deps.observer.lost(count);
    for (const { delivery, chain } of results) if (chain) this.#give(delivery);
  }
}

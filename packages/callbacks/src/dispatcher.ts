import { PlatformError } from '@posthaste/contracts';
import type { Database, Listener } from '@posthaste/postgres';
import { type AttemptSettings, buildRequest, type HttpClient, type Signer } from './attempt.js';
import type { Claim } from './claim-store.js';
import { Claimer } from './claimer.js';
import { DatabaseClock } from './database-clock.js';
import type { Attempt, Delivery, DeliveryResult, Verdict } from './delivery.js';
import { judge } from './judgement.js';
import { type Accompany, Recorder } from './recorder.js';
import type { Recorded } from './result-store.js';
import { type EndpointLimits, type SlotLimits, Slots } from './slots.js';
import { Waker } from './waker.js';

/** What a worker must know of an endpoint. */
export interface EndpointSettings extends EndpointLimits {
  readonly active: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where the dispatcher learns about endpoints; answers may come from a cache. */
export interface EndpointDirectory {
  settings(ids: readonly string[]): Promise<ReadonlyMap<string, EndpointSettings>>;
  /** What is known of it has changed. */
  forget(id: string): void;
}

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
}

export interface DispatcherDeps {
  readonly db: Database;
  readonly http: HttpClient;
  readonly signer: Signer;
  readonly endpoints: EndpointDirectory;
  readonly observer: DispatcherObserver;
  /** Which results have something written with them, in their transaction: see Recorder. */
  readonly needsCompany: (result: DeliveryResult) => boolean;
  readonly accompany: Accompany;
}

/** Results that may wait to be written before nothing more is claimed: slow writes bound the memory. */
const maxUnwritten = 4_096;
/** When nothing could be sent for a reason of this side's, such as a key that cannot be read. */
const unsendableDelayNs = 30_000_000_000n;

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
  readonly #recorder: Recorder;
  readonly #claimer: Claimer;
  readonly #waker: Waker;
  readonly #clock = new DatabaseClock();
  #listener: Listener | undefined;
  #stopping = false;
  /** Look-ups of endpoints under way: what waits for them is under lease, and in no slot yet. */
  #lookUps = 0;
  #idle: (() => void) | undefined;

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
    this.#waker = new Waker(db, {
      pollMs: options.pollMs,
      onWake: ({ lost, nowMs }, askedAtMs) => {
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
    await this.#listener?.close();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.#finish(), late]);
    clearTimeout(timer);
    this.#recorder.abandon();
  }

  async #finish(): Promise<void> {
    await this.#claimer.close();
    if (!this.#isIdle()) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.#recorder.drain();
  }

  async #onClaim(claim: Claim, askedAtMs: number): Promise<void> {
    if (claim.deliveries.length === 0) return;
    this.#deps.observer.claimed(claim.deliveries.length, performance.now() - askedAtMs);
    await this.#admit(claim.deliveries, askedAtMs);
  }

  /** Starts what there is room for; the rest goes back, for whoever has room. */
  async #admit(deliveries: readonly Delivery[], leasedAtMs: number): Promise<void> {
    // At once, so that a worker that stops writes it among its last results.
    if (this.#stopping) return this.#release(deliveries);
    this.#lookUps += 1;
    try {
      this.#start(deliveries, await this.#endpointsOf(deliveries), leasedAtMs);
    } catch (error) {
      this.#release(deliveries);
      throw error;
    } finally {
      this.#lookUps -= 1;
      this.#reportIdle();
    }
  }

  #start(
    deliveries: readonly Delivery[],
    endpoints: ReadonlyMap<string, EndpointSettings> | undefined,
    leasedAtMs: number,
  ): void {
    for (const delivery of deliveries) {
      const endpoint = endpoints?.get(delivery.endpointId ?? '');
      const refused = this.#refusal(delivery, endpoint);
      if (refused) this.#recordUnsent(delivery, refused);
      else if (this.#stopping || !this.#slots.take(delivery.lane, endpoint, performance.now())) {
        this.#recordUnsent(delivery, { kind: 'release' });
      } else void this.#attempt(delivery, endpoint, leasedAtMs);
    }
  }

  async #endpointsOf(
    deliveries: readonly Delivery[],
  ): Promise<ReadonlyMap<string, EndpointSettings> | undefined> {
    const ids = deliveries.flatMap(({ endpointId }) => endpointId ?? []);
    return ids.length === 0 ? undefined : await this.#deps.endpoints.settings(ids);
  }

  /** What ends or stops a delivery without an attempt. */
  #refusal(delivery: Delivery, endpoint: EndpointSettings | undefined): Verdict | undefined {
    if (delivery.endpointId !== undefined) {
      if (!endpoint) return { kind: 'ended', ending: 'cancelled' };
      if (!endpoint.active) {
        // What is remembered may be over: the store decides, and the next claim asks again.
        this.#deps.endpoints.forget(delivery.endpointId);
        return { kind: 'hold' };
      }
    }
    if (delivery.cancelled) return { kind: 'ended', ending: 'cancelled' };
    if (delivery.unknowns >= this.#options.maxUnknowns) return { kind: 'ended', ending: 'failed' };
    const expired = delivery.expiresAtMs !== undefined && delivery.expiresAtMs <= this.#clock.now();
    return expired ? { kind: 'ended', ending: 'expired' } : undefined;
  }

  async #attempt(
    delivery: Delivery,
    endpoint: EndpointSettings | undefined,
    leasedAtMs: number,
  ): Promise<void> {
    let result: DeliveryResult;
    try {
      result = await this.#send(delivery, endpoint, leasedAtMs);
    } catch (error) {
      this.#deps.observer.error(error, `attempting callback ${delivery.callbackId}`);
      result = unsendable(delivery, error, this.#clock.now());
    }
    // A chain keeps its slot until its result is committed, and then goes on in it.
    if (!result.chain) this.#give(delivery);
    this.#recorder.add(result);
  }

  async #send(
    delivery: Delivery,
    endpoint: EndpointSettings | undefined,
    leasedAtMs: number,
  ): Promise<DeliveryResult> {
    const { http, signer, observer } = this.#deps;
    const { leaseMs, leaseMarginMs, maxChain } = this.#options;
    const startedAtMs = this.#clock.now();
    const built = await buildRequest(
      delivery,
      endpoint?.headers,
      startedAtMs,
      signer,
      this.#options,
    );
    // Taken in when leases were longer, it may ask for more than fits into one.
    const longestMs = leaseMs - 2 * leaseMarginMs;
    const request =
      built.timeoutMs <= longestMs ? built : { ...built, timeoutMs: Math.max(1, longestMs) };
    // A process that was stopped for a while wakes up here with a lease that another may hold.
    const leftMs = leasedAtMs + leaseMs - performance.now();
    if (leftMs < request.timeoutMs + leaseMarginMs) {
      return { delivery, attempt: undefined, verdict: { kind: 'release' }, chain: false };
    }
    const outcome = await http.send(request);
    const judged = judge(delivery, outcome, startedAtMs, this.#clock.now(), Math.random());
    const { attempt, verdict } = judged;
    this.#slots.report(delivery.lane, judged.signal, performance.now(), Math.random());
    observer.attempted(delivery, attempt, verdict);
    const chain = delivery.ordered && delivery.place + 1 < maxChain && !this.#stopping;
    return { delivery, attempt, verdict, chain };
  }

  #release(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#recordUnsent(delivery, { kind: 'release' });
  }

  #recordUnsent(delivery: Delivery, verdict: Verdict): void {
    this.#recorder.add({ delivery, attempt: undefined, verdict, chain: false });
  }

  #give(delivery: Delivery): void {
    this.#slots.give(delivery.lane, performance.now());
    this.#claimer.freed();
    this.#reportIdle();
  }

  #isIdle(): boolean {
    return this.#slots.inFlight === 0 && this.#lookUps === 0;
  }

  #reportIdle(): void {
    if (this.#isIdle()) this.#idle?.();
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
    this.#admit(next, askedAtMs).catch((error: unknown) => {
      this.#deps.observer.error(error, 'going on with queues');
    });
  }

  #onLost(count: number, results: readonly DeliveryResult[]): void {
    this.#deps.observer.lost(count);
    for (const { delivery, chain } of results) if (chain) this.#give(delivery);
  }
}

/** An attempt that failed before anything could be sent: not the receiver's doing. */
function unsendable(delivery: Delivery, error: unknown, nowMs: number): DeliveryResult {
  const gone = error instanceof PlatformError && error.code === 'SECRET_NOT_FOUND';
  if (!gone) {
    const verdict: Verdict = { kind: 'retry', delayNs: unsendableDelayNs };
    return { delivery, attempt: undefined, verdict, chain: false };
  }
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
  return { delivery, attempt, verdict: { kind: 'ended', ending: 'failed' }, chain: false };
}

import { randomUUID } from 'node:crypto';
import { backoffMs } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type Capacity, type Claim, claimDeliveries } from './claim-store.js';
import type { Slots } from './slots.js';

/** Options of a {@link Claimer}. */
export interface ClaimerOptions {
  readonly holder: string;
  readonly leaseMs: number;
  /** Most rows of one claim. */
  readonly maxBatch: number;
  /** True while too many results are unwritten: nothing is claimed then. */
  readonly isBehind: () => boolean;
  /** Starts the claimed deliveries. The claim was sent at `askedAtMs`, by the monotonic clock. */
  readonly onClaim: (claim: Claim, askedAtMs: number) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Longest time that a claim waits until enough slots are free for a batch, in ms. */
const batchWindowMs = 10;
/** Time between two checks while too many results are unwritten, in ms. */
const behindMs = 50;
/** Longest pause between claims that visit many fairness keys and find nothing, in ms. */
const maxEmptyPauseMs = 200;
const backoff = { initialMs: 100, maxMs: 5_000 };

/**
 * Claims as many callbacks as there are free slots, whenever there may be work; one claim at a
 * time. A row costs the database half as much again in a claim that returns few rows as in one that
 * returns many, so a claim waits a moment until more slots are free.
 */
export class Claimer {
  readonly #db: Database;
  readonly #slots: Slots;
  readonly #options: ClaimerOptions;
  #timer: NodeJS.Timeout | undefined;
  /** Time at which the timer fires, by the monotonic clock. */
  #timerAtMs = 0;
  #running: Promise<void> | undefined;
  /** True if another claim was requested while one was running. */
  #claimAgain = false;
  /** Fairness key after which the next round begins. */
  #afterKey = '';
  /** True if the last claim may have left work behind. */
  #mayHaveMore = true;
  /** Slots that were released since the last claim. */
  #freedSlots = 0;
  /** Freed slots that are enough for another claim. */
  #enoughSlots = 1;
  /** Claims in a row that found nothing. */
  #emptyInRow = 0;
  #failuresInRow = 0;
  #closed = false;

  constructor(db: Database, slots: Slots, options: ClaimerOptions) {
    this.#db = db;
    this.#slots = slots;
    this.#options = options;
  }

  /** Claims at once, because there is new work. */
  notifyWork(): void {
    this.#schedule(0);
  }

  /** Claims soon, if there may be work, because a slot was released. */
  notifySlotFreed(): void {
    this.#freedSlots += 1;
    if (this.#mayHaveMore) this.#schedule(this.#batchDelayMs());
  }

  /** Claims no more; resolves when `onClaim` of a running claim has resolved. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(inMs: number): void {
    if (this.#closed) return;
    if (this.#running) {
      this.#claimAgain = true;
      return;
    }
    // After failures only the backoff's own timer counts: notifications must not cut it short.
    const atMs = performance.now() + inMs;
    if (this.#timer !== undefined && (this.#failuresInRow > 0 || atMs >= this.#timerAtMs)) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, inMs);
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#claimAgain = false;
    let nextMs: number | undefined;
    try {
      nextMs = await this.#claim();
      this.#failuresInRow = 0;
    } catch (error) {
      this.#options.onError(error);
      this.#failuresInRow += 1;
      nextMs = backoffMs(this.#failuresInRow, backoff, Math.random());
    }
    this.#running = undefined;
    if (nextMs !== undefined) this.#schedule(nextMs);
    // Work that arrived during the claim does not wait until a suspended host is available again.
    if (this.#claimAgain) this.#schedule(this.#batchDelayMs());
  }

  #batchDelayMs(): number {
    return this.#freedSlots >= this.#enoughSlots ? 0 : batchWindowMs;
  }

  /**
   * Claims once; returns the time to the next claim in ms, or `undefined` when the next claim waits
   * for new work or a free slot.
   */
  async #claim(): Promise<number | undefined> {
    if (this.#options.isBehind()) return behindMs;
    const askedAtMs = performance.now();
    const capacity = this.#slots.capacity(askedAtMs);
    this.#freedSlots = 0;
    if (capacity.limit <= 0) {
      this.#mayHaveMore = true;
      return undefined;
    }
    const claim = await claimDeliveries(this.#db, {
      ...capacity,
      limit: Math.min(capacity.limit, this.#options.maxBatch),
      holder: this.#options.holder,
      leaseToken: randomUUID(),
      leaseMs: this.#options.leaseMs,
      afterKey: this.#afterKey,
    });
    this.#afterKey = claim.nextKey;
    const count = claim.deliveries.length;
    const hasMoreKeys = claim.nextKey !== '';
    this.#mayHaveMore = count > 0 || hasMoreKeys || isRestricted(capacity);
    await this.#options.onClaim(claim, askedAtMs);
    this.#enoughSlots = Math.min(this.#options.maxBatch, Math.ceil(this.#slots.inFlight / 2));
    this.#emptyInRow = count === 0 ? this.#emptyInRow + 1 : 0;
    if (count > 0) return batchWindowMs;
    // Keys that are all at their limits are visited again, but after a pause.
    if (hasMoreKeys) return Math.min(maxEmptyPauseMs, batchWindowMs * this.#emptyInRow);
    const availableAtMs = this.#slots.nextAvailableAtMs(askedAtMs);
    return availableAtMs === undefined
      ? undefined
      : Math.max(batchWindowMs, availableAtMs - askedAtMs);
  }
}

/** True if something is at its limit: the claim may have skipped due callbacks. */
function isRestricted({ origins, applications, fairnessKeys }: Capacity): boolean {
  return [origins, applications, fairnessKeys].some((byName) => [...byName.values()].includes(0));
}

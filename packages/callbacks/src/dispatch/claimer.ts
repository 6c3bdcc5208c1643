import { randomUUID } from 'node:crypto';
import { backoffMs } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type Capacity, type Claim, claimDeliveries } from './claim-store.js';
import type { Slots } from './slots.js';

export interface ClaimerOptions {
  readonly holder: string;
  readonly leaseMs: number;
  readonly maxBatch: number;
  /** Whether what was claimed before has to be dealt with first. */
  readonly isBehind: () => boolean;
  /** Starts what was claimed; the claim was asked for at `askedAtMs`, by the steady clock. */
  readonly onClaim: (claim: Claim, askedAtMs: number) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Claims wait this long for as many slots to come free as make a batch. */
const windowMs = 10;
/** When results pile up, claims look again after this. */
const behindMs = 50;
/** The longest rest between claims that look through many lanes and find nothing. */
const maxEmptyMs = 200;
const backoff = { initialMs: 100, maxMs: 5_000 };

/** Claims as much as there are slots for, whenever there may be work: one claim at a time. */
export class Claimer {
  readonly #db: Database;
  readonly #slots: Slots;
  readonly #options: ClaimerOptions;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires, by the steady clock. */
  #atMs = 0;
  #running: Promise<void> | undefined;
  #again = false;
  #afterLane = '';
  /** Whether the last claim left work behind, as far as it can tell. */
  #moreWaits = true;
  /** Slots that came free since the last claim, and how many are worth another. */
  #freed = 0;
  #worthwhile = 1;
  /** Claims in a row that found nothing and have not seen every lane. */
  #emptyInRow = 0;
  #failuresInRow = 0;
  #closed = false;

  constructor(db: Database, slots: Slots, options: ClaimerOptions) {
    this.#db = db;
    this.#slots = slots;
    this.#options = options;
  }

  /** There is new work. */
  wake(): void {
    this.#schedule(0);
  }

  /** A slot came free. */
  freed(): void {
    this.#freed += 1;
    if (this.#moreWaits) this.#schedule(this.#untilWorthwhileMs());
  }

  /** Claims no more; resolves when the claim under way has been handed on. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(inMs: number): void {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    // After failures only the backoff's own timer counts: notices must not make it spin.
    const atMs = performance.now() + inMs;
    if (this.#timer !== undefined && (this.#failuresInRow > 0 || atMs >= this.#atMs)) return;
    clearTimeout(this.#timer);
    this.#atMs = atMs;
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, inMs);
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#again = false;
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
    // What came up during the claim does not wait until a closed host opens.
    if (this.#again) this.#schedule(this.#untilWorthwhileMs());
  }

  /** Small claims cost the database half as much again for each row as large ones. */
  #untilWorthwhileMs(): number {
    return this.#freed >= this.#worthwhile ? 0 : windowMs;
  }

  /** Gives when to claim again, in ms; `undefined`: when there is something new. */
  async #claim(): Promise<number | undefined> {
    if (this.#options.isBehind()) return behindMs;
    const askedAtMs = performance.now();
    const room = this.#slots.capacity(askedAtMs);
    this.#freed = 0;
    if (room.limit <= 0) {
      this.#moreWaits = true;
      return undefined;
    }
    const limit = Math.min(room.limit, this.#options.maxBatch);
    const claim = await claimDeliveries(this.#db, {
      ...room,
      limit,
      holder: this.#options.holder,
      leaseToken: randomUUID(),
      leaseMs: this.#options.leaseMs,
      afterKey: this.#afterLane,
    });
    this.#afterLane = claim.nextKey;
    const count = claim.deliveries.length;
    const goesOn = claim.nextKey !== '';
    this.#moreWaits = count > 0 || goesOn || isRestricted(room);
    await this.#options.onClaim(claim, askedAtMs);
    this.#worthwhile = Math.min(this.#options.maxBatch, Math.ceil(this.#slots.inFlight / 2));
    this.#emptyInRow = count === 0 ? this.#emptyInRow + 1 : 0;
    if (count > 0) return windowMs;
    // Lanes that are all full are looked at again, but not without a rest.
    if (goesOn) return Math.min(maxEmptyMs, windowMs * this.#emptyInRow);
    const opensAtMs = this.#slots.opensAtMs(askedAtMs);
    return opensAtMs === undefined ? undefined : Math.max(windowMs, opensAtMs - askedAtMs);
  }
}

/** Whether anything is full: work may be left where the claim did not look. */
function isRestricted({ origins, applications, fairnessKeys }: Capacity): boolean {
  return [origins, applications, fairnessKeys].some((rooms) => [...rooms.values()].includes(0));
}

import { backoffMs } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type Promotion, promoteDue } from './due-store.js';

/** Options of a {@link DuePoller}. */
export interface DuePollerOptions {
  /** Longest time between two polls, in ms: due times that other processes stored are seen then. */
  readonly pollMs: number;
  /** Called after each poll, which was sent at `askedAtMs` by the monotonic clock. */
  readonly onPoll: (promotion: Promotion, askedAtMs: number) => void;
  readonly onError: (error: unknown) => void;
}

/** Callbacks promoted by one poll at most. */
const batchSize = 1_000;
/**
 * Time after an outage of the database during which no lease counts as expired, in ms: results
 * that could not be written meanwhile come first.
 */
const outageGraceMs = 2_000;
/** Waits while the database is down do not grow: all else waits for it. */
const backoff = { initialMs: 1_000, maxMs: 1_000 };

/**
 * Promotes callbacks when they come due and ends expired leases. It polls at the moment when the
 * next callback comes due, and every `pollMs` for what it does not know of.
 */
export class DuePoller {
  readonly #db: Database;
  readonly #options: DuePollerOptions;
  #timer: NodeJS.Timeout | undefined;
  /** Time of the next poll by the monotonic clock, in ms. */
  #nextAtMs = Number.POSITIVE_INFINITY;
  #running = false;
  #databaseDown = false;
  #notBeforeMs = 0;
  #closed = false;

  constructor(db: Database, options: DuePollerOptions) {
    this.#db = db;
    this.#options = options;
  }

  /**
   * Polls once, so that the database's time is known when this resolves, and then keeps polling.
   * @throws PlatformError `DATABASE_*`
   */
  async start(): Promise<void> {
    const askedAtMs = performance.now();
    this.#options.onPoll(await promoteDue(this.#db, batchSize), askedAtMs);
    this.pollWithin(0);
  }

  /** Moves the next poll forward, if needed, so that it comes in `ms` at the latest. */
  pollWithin(ms: number): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    const atMs = Math.max(nowMs + ms, this.#notBeforeMs);
    if (atMs >= this.#nextAtMs) return;
    this.#nextAtMs = atMs;
    clearTimeout(this.#timer);
    if (!this.#running) this.#timer = setTimeout(() => void this.#run(), Math.max(0, atMs - nowMs));
  }

  /** Ends polling. Idempotent. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#nextAtMs = Number.POSITIVE_INFINITY;
    let nextMs: number;
    try {
      nextMs = await (this.#databaseDown ? this.#probeDatabase() : this.#poll());
    } catch (error) {
      this.#databaseDown = true;
      nextMs = backoffMs(1, backoff, Math.random());
      this.#options.onError(error);
    }
    this.#running = false;
    const wantedMs = this.#nextAtMs - performance.now();
    this.#nextAtMs = Number.POSITIVE_INFINITY;
    this.pollWithin(Math.min(nextMs, wantedMs));
  }

  /** Promotes what is due; returns the time to the next poll, in ms. */
  async #poll(): Promise<number> {
    const askedAtMs = performance.now();
    const promotion = await promoteDue(this.#db, batchSize);
    this.#options.onPoll(promotion, askedAtMs);
    const { pollMs } = this.#options;
    if (promotion.promoted === batchSize) return 0;
    return Math.min(pollMs, Math.ceil(promotion.nextDueInMs ?? pollMs));
  }

  /** Pings the database after an outage; returns the time to the next poll, in ms. */
  async #probeDatabase(): Promise<number> {
    await this.#db.ping();
    this.#databaseDown = false;
    this.#notBeforeMs = performance.now() + outageGraceMs;
    return outageGraceMs;
  }
}

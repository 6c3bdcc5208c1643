import type { Database } from '@posthaste/postgres';
import { type Promotion, promoteDue } from './due-store.js';

export interface DuePollerOptions {
  /** The database is asked at least this often, in ms: what other processes stored is seen then. */
  readonly pollMs: number;
  /** `askedAtMs`: when the database was asked, by the steady clock. */
  readonly onPoll: (wake: Promotion, askedAtMs: number) => void;
  readonly onError: (error: unknown) => void;
}

const batch = 1_000;
/**
 * Once the database is back, leases are not judged to have run out for this long: results that could
 * not be written meanwhile come first.
 */
const outageGraceMs = 2_000;
const maxRetryMs = 1_000;

/** Makes ready what comes due, and takes back leases that ran out: at its time, not at the next poll. */
export class DuePoller {
  readonly #db: Database;
  readonly #options: DuePollerOptions;
  #timer: NodeJS.Timeout | undefined;
  #atMs = Number.POSITIVE_INFINITY;
  #running = false;
  #away = false;
  #notBeforeMs = 0;
  #closed = false;

  constructor(db: Database, options: DuePollerOptions) {
    this.#db = db;
    this.#options = options;
  }

  /** Looks once, so that what it tells is known, and from then on by itself. @throws PlatformError */
  async start(): Promise<void> {
    const askedAtMs = performance.now();
    this.#options.onPoll(await promoteDue(this.#db, batch), askedAtMs);
    this.within(0);
  }

  /** Looks again in `ms` at the latest. */
  within(ms: number): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    const atMs = Math.max(nowMs + ms, this.#notBeforeMs);
    if (atMs >= this.#atMs) return;
    this.#atMs = atMs;
    clearTimeout(this.#timer);
    if (!this.#running) this.#timer = setTimeout(() => void this.#run(), Math.max(0, atMs - nowMs));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#atMs = Number.POSITIVE_INFINITY;
    let nextMs: number;
    try {
      nextMs = await (this.#away ? this.#comeBack() : this.#wake());
    } catch (error) {
      this.#away = true;
      nextMs = maxRetryMs * (0.5 + Math.random() / 2);
      this.#options.onError(error);
    }
    this.#running = false;
    const wantedMs = this.#atMs - performance.now();
    this.#atMs = Number.POSITIVE_INFINITY;
    this.within(Math.min(nextMs, wantedMs));
  }

  /** Gives when to look again, in ms, as {@link #comeBack} does. */
  async #wake(): Promise<number> {
    const askedAtMs = performance.now();
    const wake = await promoteDue(this.#db, batch);
    this.#options.onPoll(wake, askedAtMs);
    const { pollMs } = this.#options;
    return wake.promoted === batch ? 0 : Math.min(pollMs, Math.ceil(wake.nextDueInMs ?? pollMs));
  }

  async #comeBack(): Promise<number> {
    await this.#db.ping();
    this.#away = false;
    this.#notBeforeMs = performance.now() + outageGraceMs;
    return outageGraceMs;
  }
}

import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable } from '@posthaste/postgres';
import type { DeliveryResult } from './delivery.js';
import { finishResults, lockHeads, type Recorded, recordResults } from './result-store.js';

/** What the recorder tells, once results are committed or known to be lost. */
export interface RecorderListener {
  recorded(recorded: readonly Recorded[], askedAtMs: number): void;
  /** Leases had been lost: another worker has taken over, and nothing was written. */
  lost(count: number, careful: readonly DeliveryResult[]): void;
  failed(error: unknown, results: readonly DeliveryResult[], willRetry: boolean): void;
}

/** What is written in the same transaction as results: notices of failures, events. */
export type Accompany = (tx: Queryable, recorded: readonly Recorded[]) => Promise<void>;

export interface RecorderOptions {
  readonly leaseMs: number;
  /** Results wait this long for others to share their write. */
  readonly windowMs: number;
  readonly maxBatch: number;
  /** Writes under way at once. */
  readonly concurrency: number;
  /** Whether a result needs {@link RecorderOptions.accompany} in its transaction. */
  readonly needsCompany: (result: DeliveryResult) => boolean;
  readonly accompany: Accompany;
}

const firstBackoffMs = 50;
const maxBackoffMs = 2_000;

/**
 * Writes results in batches. A database that is away is waited for: the fence decides in the end
 * whether a late result still counts.
 */
export class Recorder {
  readonly #db: Database;
  readonly #options: RecorderOptions;
  readonly #listener: RecorderListener;
  /** Those that end a callback without a queue, and those that need more care. */
  #plain: DeliveryResult[] = [];
  #careful: DeliveryResult[] = [];
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #drained: (() => void) | undefined;
  #abandoned = false;

  constructor(db: Database, options: RecorderOptions, listener: RecorderListener) {
    this.#db = db;
    this.#options = options;
    this.#listener = listener;
  }

  /** After {@link abandon} nothing more is taken: what ends then ended because its worker stopped. */
  add(result: DeliveryResult): void {
    if (this.#abandoned) return;
    const careful =
      result.delivery.ordered ||
      result.verdict.kind !== 'ended' ||
      this.#options.needsCompany(result);
    const queue = careful ? this.#careful : this.#plain;
    queue.push(result);
    if (queue.length >= this.#options.maxBatch) this.#pump(true);
    else this.#timer ??= setTimeout(() => this.#tick(), this.#options.windowMs);
  }

  /** Writes everything that was added. */
  async drain(): Promise<void> {
    this.#tick();
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  /** Stops trying: what is not written is left to the end of its lease. */
  abandon(): void {
    this.#abandoned = true;
  }

  #isIdle(): boolean {
    return this.#running === 0 && this.#plain.length === 0 && this.#careful.length === 0;
  }

  #tick(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pump(false);
  }

  #pump(onlyFull: boolean): void {
    const { maxBatch, concurrency } = this.#options;
    for (const queue of [this.#plain, this.#careful]) {
      while (this.#running < concurrency && queue.length >= (onlyFull ? maxBatch : 1)) {
        this.#running += 1;
        void this.#write(queue.splice(0, maxBatch), queue === this.#careful).then(() =>
          this.#wrote(),
        );
      }
    }
  }

  #wrote(): void {
    this.#running -= 1;
    if (this.#isIdle()) this.#drained?.();
    // Without a timer under way, what was added meanwhile has waited for this write long enough.
    else if (this.#timer === undefined) this.#pump(false);
  }

  async #write(results: DeliveryResult[], careful: boolean): Promise<void> {
    for (let tries = 0; ; tries++) {
      const askedAtMs = performance.now();
      try {
        if (careful) this.#settle(results, await this.#record(results), askedAtMs);
        else this.#countLost(results.length - (await finishResults(this.#db, results)));
        return;
      } catch (error) {
        const retryable = error instanceof PlatformError && error.retryable && !this.#abandoned;
        this.#listener.failed(error, results, retryable);
        if (!retryable) return this.#isolate(results, careful);
        const full = Math.min(maxBackoffMs, firstBackoffMs * 2 ** tries);
        await new Promise((resolve) => setTimeout(resolve, full * (0.5 + Math.random() / 2)));
      }
    }
  }

  /** One row that the database refuses must not take the others with it. */
  async #isolate(results: DeliveryResult[], careful: boolean): Promise<void> {
    if (results.length === 1 || this.#abandoned) {
      return this.#listener.lost(results.length, careful ? results : []);
    }
    const middle = results.length >> 1;
    await this.#write(results.slice(0, middle), careful);
    await this.#write(results.slice(middle), careful);
  }

  #record(results: DeliveryResult[]): Promise<Recorded[]> {
    return this.#db.transaction(async (tx) => {
      // Sent together: the second runs after the first, and sees what was committed before it.
      const [, recorded] = await Promise.all([
        lockHeads(tx, results),
        recordResults(tx, results, this.#options.leaseMs),
      ]);
      await this.#options.accompany(tx, recorded);
      return recorded;
    });
  }

  #countLost(count: number): void {
    if (count > 0) this.#listener.lost(count, []);
  }

  #settle(
    results: readonly DeliveryResult[],
    recorded: readonly Recorded[],
    askedAtMs: number,
  ): void {
    if (recorded.length < results.length) {
      const counted = new Set(recorded.map(({ result }) => result));
      const lost = results.filter((result) => !counted.has(result));
      this.#listener.lost(lost.length, lost);
    }
    this.#listener.recorded(recorded, askedAtMs);
  }
}

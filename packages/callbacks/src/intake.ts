import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { findFirstUses, type IntakeItem, type Stored, storeCallbacks } from './intake-store.js';

/** What became of one callback that was handed in. */
export interface Accepted {
  readonly id: string;
  /** Absent when the Idempotency-Key was used before: the callback is the one of that first use. */
  readonly createdAt: Date | undefined;
}

export interface IntakeOptions {
  /** Callbacks in one statement at most. Default 256. */
  readonly maxBatch?: number;
  /** Bytes of bodies in one statement at most. Default 4 MiB. */
  readonly maxBatchBytes?: number;
  /** Statements under way at once. Default 2: one commits while the next is filled. */
  readonly concurrency?: number;
  /** Callbacks that may wait for their turn; more are refused with `OVERLOADED`. Default 10,000. */
  readonly maxWaiting?: number;
  /** Workers are told of new callbacks at most this often, in ms. Default 5. */
  readonly notifyEveryMs?: number;
}

interface Waiting {
  readonly item: IntakeItem;
  readonly resolve: (accepted: Accepted) => void;
  readonly reject: (error: unknown) => void;
}

/** Group commit: callbacks that arrive together are stored by one statement, and share its flush. */
export class Intake {
  readonly #db: Database;
  readonly #options: Required<IntakeOptions>;
  #waiting: Waiting[] = [];
  #running = 0;
  #notifiedAt = 0;
  #notifyTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor(db: Database, options: IntakeOptions = {}) {
    this.#db = db;
    this.#options = {
      maxBatch: options.maxBatch ?? 256,
      maxBatchBytes: options.maxBatchBytes ?? 4 * 1024 * 1024,
      concurrency: options.concurrency ?? 2,
      maxWaiting: options.maxWaiting ?? 10_000,
      notifyEveryMs: options.notifyEveryMs ?? 5,
    };
  }

  /**
   * Resolves once the callback is committed.
   * @throws PlatformError `OVERLOADED`, `STOPPING`, `IDEMPOTENCY_KEY_REUSED`, `DATABASE_*`
   */
  add(item: IntakeItem): Promise<Accepted> {
    if (this.#closed) return Promise.reject(new PlatformError('STOPPING', 'intake is closed'));
    if (this.#waiting.length >= this.#options.maxWaiting) {
      const message = `${this.#waiting.length} callbacks wait to be stored`;
      return Promise.reject(new PlatformError('OVERLOADED', message));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      // Not at once: what else arrived in this turn of the event loop joins the batch.
      if (this.#waiting.length === 1) setImmediate(() => this.#pump());
    });
  }

  /** Stores what waits, then refuses more. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#waiting.length > 0 || this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    if (this.#notifyTimer) await this.#notifyLate();
  }

  #pump(): void {
    while (this.#running < this.#options.concurrency && this.#waiting.length > 0) {
      this.#running += 1;
      void this.#store(this.#takeBatch()).finally(() => {
        this.#running -= 1;
        this.#pump();
        if (this.#running === 0 && this.#waiting.length === 0) this.#idle?.();
      });
    }
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { item } of this.#waiting) {
      bytes += item.request.body?.length ?? 0;
      if (count === this.#options.maxBatch || (count > 0 && bytes > this.#options.maxBatchBytes))
        break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    try {
      const items = batch.map(({ item }) => item);
      const stored = await storeCallbacks(this.#db, items, this.#notifyNow());
      if (stored.repeated.size > 0) await this.#settleWithRepeats(batch, stored);
      else
        for (const { item, resolve } of batch)
          resolve({ id: item.id, createdAt: stored.createdAt });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  async #settleWithRepeats(batch: readonly Waiting[], stored: Stored): Promise<void> {
    const repeats = batch.filter(({ item }) => stored.repeated.has(item.id));
    for (const { item, resolve } of batch) {
      if (!stored.repeated.has(item.id)) resolve({ id: item.id, createdAt: stored.createdAt });
    }
    const firstUses = await findFirstUses(
      this.#db,
      repeats.map(({ item }) => item),
    );
    for (const { item, resolve, reject } of repeats) {
      const first = firstUses.get(item.id);
      if (first?.sameBody) resolve({ id: first.callbackId, createdAt: undefined });
      else
        reject(
          new PlatformError(
            'IDEMPOTENCY_KEY_REUSED',
            'the Idempotency-Key was used for another body',
          ),
        );
    }
  }

  /**
   * Whether this statement tells the workers. One that does not is followed by a notice of its own
   * at the end of the window, so that the last callback of a burst waits no longer than that.
   */
  #notifyNow(): boolean {
    const now = performance.now();
    if (now - this.#notifiedAt >= this.#options.notifyEveryMs) {
      this.#notifiedAt = now;
      return true;
    }
    this.#notifyTimer ??= setTimeout(() => void this.#notifyLate(), this.#options.notifyEveryMs);
    return false;
  }

  async #notifyLate(): Promise<void> {
    clearTimeout(this.#notifyTimer);
    this.#notifyTimer = undefined;
    this.#notifiedAt = performance.now();
    try {
      await this.#db.query(`select pg_notify('callbacks_due', '')`);
    } catch {
      // A notice is a hint: workers poll as well.
    }
  }
}

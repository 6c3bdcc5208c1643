import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type CallbackEventSink, noEvents } from '../events/callback-events.js';
import { type Accepted, commitTogether, type Outcome } from './group-commit.js';
import type { IntakeItem } from './intake-store.js';

export interface IntakeOptions {
  /** Callbacks in one statement at most. Default 256. */
  readonly maxBatch?: number;
  /** Bytes of bodies in one statement at most. Default 4 MiB. */
  readonly maxBatchBytes?: number;
  /** Statements under way at once. Default 4. */
  readonly concurrency?: number;
  /**
   * Callbacks that must wait for another statement to start beside one that is under way. Fewer
   * wait for its end: for each of a few, a statement costs three times what it does for each of
   * many. Default 64.
   */
  readonly minBesides?: number;
  /** Callbacks that may wait for their turn; more are refused with `OVERLOADED`. Default 10,000. */
  readonly maxWaiting?: number;
  /**
   * Bytes of bodies that may be on their way into the database; more are refused with `OVERLOADED`.
   * A single body may be larger. Default 64 MiB.
   */
  readonly maxUnstoredBytes?: number;
  /** Workers are told of new callbacks at most this often, in ms. Default 5. */
  readonly notifyEveryMs?: number;
  /** Told, in the same transaction, of what is stored. Default: nobody. */
  readonly events?: CallbackEventSink;
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
  /** Calls of `addAll` under way. */
  #together = 0;
  #unstoredBytes = 0;
  #notifiedAt = Number.NEGATIVE_INFINITY;
  #notifyTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor(db: Database, options: IntakeOptions = {}) {
    this.#db = db;
    this.#options = {
      maxBatch: options.maxBatch ?? 256,
      maxBatchBytes: options.maxBatchBytes ?? 4 * 1024 * 1024,
      concurrency: options.concurrency ?? 4,
      minBesides: options.minBesides ?? 64,
      maxWaiting: options.maxWaiting ?? 10_000,
      maxUnstoredBytes: options.maxUnstoredBytes ?? 64 * 1024 * 1024,
      notifyEveryMs: options.notifyEveryMs ?? 5,
      events: options.events ?? noEvents,
    };
  }

  /**
   * Resolves once the callback is committed.
   * @throws PlatformError `OVERLOADED`, `STOPPING`, `IDEMPOTENCY_KEY_REUSED`, `DATABASE_*`
   */
  add(item: IntakeItem): Promise<Accepted> {
    if (this.#closed) return Promise.reject(new PlatformError('STOPPING', 'intake is closed'));
    const excess = this.#excess(bytesOf(item));
    if (excess) return Promise.reject(excess);
    return new Promise((resolve, reject) => {
      this.#unstoredBytes += bytesOf(item);
      this.#waiting.push({ item, resolve, reject });
      // Not at once: what else arrived in this turn of the event loop joins the batch.
      if (this.#waiting.length === 1 || this.#waiting.length === this.#options.minBesides) {
        setImmediate(() => this.#pump());
      }
    });
  }

  /**
   * Stores several with one statement: those of one queue keep this order among themselves, which
   * statements that run side by side would not promise. Gives the outcome of each, in this order.
   * @throws PlatformError `OVERLOADED`, `STOPPING`, `DATABASE_*` when none of them was stored
   */
  async addAll(items: readonly IntakeItem[]): Promise<Outcome[]> {
    if (this.#closed) throw new PlatformError('STOPPING', 'intake is closed');
    const bytes = sumOf(items);
    const excess = this.#excess(bytes);
    if (excess) throw excess;
    this.#together += 1;
    this.#unstoredBytes += bytes;
    try {
      return await this.#storeTogether(items);
    } finally {
      this.#together -= 1;
      this.#unstoredBytes -= bytes;
      this.#reportIdle();
    }
  }

  /** Stores what waits, then refuses more. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#isIdle()) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    if (this.#notifyTimer) await this.#notifyLate();
  }

  /** Why so many bytes more are not taken now. */
  #excess(bytes: number): PlatformError | undefined {
    const { maxWaiting, maxUnstoredBytes } = this.#options;
    if (this.#waiting.length >= maxWaiting) {
      return new PlatformError('OVERLOADED', `${this.#waiting.length} callbacks wait to be stored`);
    }
    if (this.#unstoredBytes === 0 || this.#unstoredBytes + bytes <= maxUnstoredBytes)
      return undefined;
    const message = `callbacks of ${this.#unstoredBytes} bytes wait to be stored`;
    return new PlatformError('OVERLOADED', message);
  }

  #pump(): void {
    while (this.#mayStart()) {
      this.#running += 1;
      void this.#store(this.#takeBatch()).finally(() => this.#ended());
    }
  }

  #mayStart(): boolean {
    const { concurrency, minBesides } = this.#options;
    const needed = this.#running === 0 ? 1 : minBesides;
    return this.#running < concurrency && this.#waiting.length >= needed;
  }

  #ended(): void {
    this.#running -= 1;
    this.#pump();
    this.#reportIdle();
  }

  #isIdle(): boolean {
    return this.#running === 0 && this.#together === 0 && this.#waiting.length === 0;
  }

  #reportIdle(): void {
    if (this.#isIdle()) this.#idle?.();
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { item } of this.#waiting) {
      bytes += bytesOf(item);
      if (count === this.#options.maxBatch || (count > 0 && bytes > this.#options.maxBatchBytes))
        break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    const items = batch.map(({ item }) => item);
    try {
      const outcomes = await this.#storeTogether(items);
      batch.forEach(({ resolve, reject }, i) => {
        const outcome = outcomes[i];
        if (outcome?.status === 'fulfilled') resolve(outcome.value);
        else reject(outcome?.reason);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#unstoredBytes -= sumOf(items);
    }
  }

  #storeTogether(items: readonly IntakeItem[]): Promise<Outcome[]> {
    const { events } = this.#options;
    return commitTogether(this.#db, items, { notify: () => this.#notifyNow(), events });
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

function bytesOf({ request }: IntakeItem): number {
  return request.body?.length ?? 0;
}

function sumOf(items: readonly IntakeItem[]): number {
  return items.reduce((bytes, item) => bytes + bytesOf(item), 0);
}

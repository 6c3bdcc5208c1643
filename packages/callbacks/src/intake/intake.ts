import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type CallbackEventSink, noEvents } from '../events/callback-events.js';
import { type Accepted, commitTogether, type Outcome } from './group-commit.js';
import type { IntakeItem } from './intake-store.js';

/** Options of an {@link Intake}. */
export interface IntakeOptions {
  /** Callbacks of one statement at most. Default 256. */
  readonly maxBatch?: number;
  /** Bytes of bodies of one statement at most. Default 4,194,304 (4 MiB). */
  readonly maxBatchBytes?: number;
  /** Statements that run at the same time. Default 4. */
  readonly concurrency?: number;
  /**
   * Waiting callbacks that make another statement start while one is running. Fewer wait for its
   * end: a statement for a few costs three times as much for each as one for many. Default 64.
   */
  readonly minParallelBatch?: number;
  /** Callbacks that may wait to be stored; more are refused with `OVERLOADED`. Default 10,000. */
  readonly maxWaiting?: number;
  /**
   * Bytes of bodies that are not stored yet; more are refused with `OVERLOADED`. A single body may
   * be larger. Default 67,108,864 (64 MiB).
   */
  readonly maxUnstoredBytes?: number;
  /** Shortest time between two notifications of the workers, in ms. Default 5. */
  readonly notifyEveryMs?: number;
  /** Receiver of events about stored callbacks, in the same transaction. Default: none. */
  readonly events?: CallbackEventSink;
}

interface Waiting {
  readonly item: IntakeItem;
  readonly resolve: (accepted: Accepted) => void;
  readonly reject: (error: unknown) => void;
}

/** Group commit: callbacks that arrive together are stored by one statement and share its flush. */
export class Intake {
  readonly #db: Database;
  readonly #options: Required<IntakeOptions>;
  #waiting: Waiting[] = [];
  #running = 0;
  /** Running calls of {@link addAll}. */
  #runningCalls = 0;
  #unstoredBytes = 0;
  #notifiedAt = Number.NEGATIVE_INFINITY;
  #notifyTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(db: Database, options: IntakeOptions = {}) {
    this.#db = db;
    this.#options = {
      maxBatch: options.maxBatch ?? 256,
      maxBatchBytes: options.maxBatchBytes ?? 4 * 1024 * 1024,
      concurrency: options.concurrency ?? 4,
      minParallelBatch: options.minParallelBatch ?? 64,
      maxWaiting: options.maxWaiting ?? 10_000,
      maxUnstoredBytes: options.maxUnstoredBytes ?? 64 * 1024 * 1024,
      notifyEveryMs: options.notifyEveryMs ?? 5,
      events: options.events ?? noEvents,
    };
  }

  /**
   * Stores a callback; resolves once it is committed.
   * @throws PlatformError `OVERLOADED`, `STOPPING`, `IDEMPOTENCY_KEY_REUSED`, `DATABASE_*`
   */
  add(item: IntakeItem): Promise<Accepted> {
    if (this.#closed) return Promise.reject(new PlatformError('STOPPING', 'intake is closed'));
    const overload = this.#overloadBy(bytesOf(item));
    if (overload) return Promise.reject(overload);
    return new Promise((resolve, reject) => {
      this.#unstoredBytes += bytesOf(item);
      this.#waiting.push({ item, resolve, reject });
      // Not at once, so that callbacks that arrive in this turn of the event loop join the batch.
      if (this.#waiting.length === 1 || this.#waiting.length === this.#options.minParallelBatch) {
        setImmediate(() => this.#startStatements());
      }
    });
  }

  /**
   * Stores several with one statement, so that those of one queue keep this order: statements that
   * run at the same time would not guarantee it. Returns the outcome of each, in this order.
   * @throws PlatformError `OVERLOADED`, `STOPPING`, `DATABASE_*` when none of them was stored
   */
  async addAll(items: readonly IntakeItem[]): Promise<Outcome[]> {
    if (this.#closed) throw new PlatformError('STOPPING', 'intake is closed');
    const bytes = sumOf(items);
    const overload = this.#overloadBy(bytes);
    if (overload) throw overload;
    this.#runningCalls += 1;
    this.#unstoredBytes += bytes;
    try {
      return await this.#storeTogether(items);
    } finally {
      this.#runningCalls -= 1;
      this.#unstoredBytes -= bytes;
      this.#reportIdle();
    }
  }

  /** Refuses more callbacks; resolves once those that wait are stored. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#isIdle()) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    if (this.#notifyTimer) await this.#notifyLate();
  }

  /** Returns the error of a callback with so many bytes if it is too much now. */
  #overloadBy(bytes: number): PlatformError | undefined {
    const { maxWaiting, maxUnstoredBytes } = this.#options;
    if (this.#waiting.length >= maxWaiting) {
      // Without numbers: those of all applications are nobody's business.
      const message = 'too many callbacks wait to be stored; try again later';
      return new PlatformError('OVERLOADED', message);
    }
    if (this.#unstoredBytes === 0 || this.#unstoredBytes + bytes <= maxUnstoredBytes)
      return undefined;
    const message = 'too many bytes of bodies wait to be stored; try again later';
    return new PlatformError('OVERLOADED', message);
  }

  #startStatements(): void {
    while (this.#mayStart()) {
      this.#running += 1;
      void this.#store(this.#takeBatch()).finally(() => this.#ended());
    }
  }

  #mayStart(): boolean {
    const { concurrency, minParallelBatch } = this.#options;
    const needed = this.#running === 0 ? 1 : minParallelBatch;
    return this.#running < concurrency && this.#waiting.length >= needed;
  }

  #ended(): void {
    this.#running -= 1;
    this.#startStatements();
    this.#reportIdle();
  }

  #isIdle(): boolean {
    return this.#running === 0 && this.#runningCalls === 0 && this.#waiting.length === 0;
  }

  #reportIdle(): void {
    if (this.#isIdle()) this.#onIdle?.();
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
    return commitTogether(this.#db, items, { shouldNotify: () => this.#shouldNotify(), events });
  }

  /**
   * True if the next statement should notify the workers. After one that does not, a notification
   * follows at the end of the window: the last callback of a burst waits no longer than that.
   */
  #shouldNotify(): boolean {
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
      // Workers poll as well, so a lost notification only delays them.
    }
  }
}

function bytesOf({ request }: IntakeItem): number {
  return request.body?.length ?? 0;
}

function sumOf(items: readonly IntakeItem[]): number {
  return items.reduce((bytes, item) => bytes + bytesOf(item), 0);
}

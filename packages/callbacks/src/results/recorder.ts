import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import type { DeliveryResult } from '../delivery/delivery.js';
import type { CallbackEventSink } from '../events/callback-events.js';
import { finishResults } from './finish-results.js';
import { hasEffects, writeEffects } from './result-effects.js';
import { lockHeads, type RecordedResult, recordResults } from './result-store.js';

/** Listener of a recorder. Called once results are committed, or known to be lost. */
export interface RecorderListener {
  /**
   * Results of a transaction were committed. Their write was sent at `askedAtMs` (monotonic clock).
   */
  recorded(recorded: readonly RecordedResult[], askedAtMs: number): void;
  /**
   * `count` results were dropped, because their leases had been lost or the database refused them.
   * `results`: those of them that may have kept a lease.
   */
  lost(count: number, results: readonly DeliveryResult[]): void;
  /** A write failed; `willRetry`: it is tried again as it was. */
  failed(error: unknown, results: readonly DeliveryResult[], willRetry: boolean): void;
}

/** Options of a {@link Recorder}. */
export interface RecorderOptions {
  readonly leaseMs: number;
  /** Time that a result waits for others to share its write, in ms. */
  readonly windowMs: number;
  /**
   * The same for results that need a transaction: the next callback of their queue waits for it.
   */
  readonly orderedWindowMs: number;
  /** Results of one write at most. */
  readonly maxBatch: number;
  /** Receiver of events about results, in the same transaction. */
  readonly events: CallbackEventSink;
}

const backoff = { initialMs: 50, maxMs: 2_000 };

/**
 * Results that wait for their write. One write at a time for each buffer: what is added meanwhile
 * makes up the next one, so batches grow with the load, and a single result does not wait long.
 */
interface ResultBuffer {
  readonly results: DeliveryResult[];
  readonly windowMs: number;
  timer: NodeJS.Timeout | undefined;
  writing: boolean;
}

/**
 * Writes results in batches, in one of two ways:
 *
 * - Endings of callbacks without a queue that have no effects: `finishResults`. It is one statement
 *   if no events about them are wanted, or if the statement can append them to the log.
 * - All others (of ordered queues, retried, released or held, or with effects): `recordResults` in
 *   a transaction, with their effects.
 *
 * While the database is down it tries again: the fence decides whether a late result still counts.
 */
export class Recorder {
  readonly #db: Database;
  readonly #options: RecorderOptions;
  readonly #listener: RecorderListener;
  /** Written by `finishResults`. */
  readonly #endings: ResultBuffer;
  /** Written by `recordResults`, with effects. */
  readonly #transactional: ResultBuffer;
  #onDrained: (() => void) | undefined;
  #abandoned = false;

  constructor(db: Database, options: RecorderOptions, listener: RecorderListener) {
    this.#db = db;
    this.#options = options;
    this.#listener = listener;
    this.#endings = newBuffer(options.windowMs);
    this.#transactional = newBuffer(options.orderedWindowMs);
  }

  /** Adds a result. After {@link abandon} it is ignored: it ended because its worker stopped. */
  add(result: DeliveryResult): void {
    if (this.#abandoned) return;
    const needsTransaction =
      result.delivery.ordered || result.verdict.kind !== 'ended' || hasEffects(result);
    const buffer = needsTransaction ? this.#transactional : this.#endings;
    buffer.results.push(result);
    if (buffer.results.length >= this.#options.maxBatch) this.#flush(buffer);
    else this.#flushLater(buffer);
  }

  /** Results that wait for their write; those being written are not counted. */
  get size(): number {
    return this.#endings.results.length + this.#transactional.results.length;
  }

  /** Writes everything that was added. */
  async drain(): Promise<void> {
    this.#flush(this.#transactional);
    this.#flush(this.#endings);
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
  }

  /** Gives up: results that are not written are left to the end of their leases. */
  abandon(): void {
    this.#abandoned = true;
  }

  #isIdle(): boolean {
    return [this.#endings, this.#transactional].every(({ writing, results }) => {
      return !writing && results.length === 0;
    });
  }

  #flushLater(buffer: ResultBuffer): void {
    buffer.timer ??= setTimeout(() => {
      buffer.timer = undefined;
      this.#flush(buffer);
    }, buffer.windowMs);
  }

  #flush(buffer: ResultBuffer): void {
    if (buffer.writing || buffer.results.length === 0) return;
    clearTimeout(buffer.timer);
    buffer.timer = undefined;
    buffer.writing = true;
    const results = buffer.results.splice(0, this.#options.maxBatch);
    void this.#write(buffer, results).then(() => {
      buffer.writing = false;
      this.#onWritten(buffer);
    });
  }

  #onWritten(buffer: ResultBuffer): void {
    if (this.#isIdle()) {
      this.#onDrained?.();
      return;
    }
    // Without a timer, the window of the results has passed during the write.
    const isOver = buffer.timer === undefined || this.#onDrained !== undefined;
    if (isOver || buffer.results.length >= this.#options.maxBatch) this.#flush(buffer);
  }

  async #write(buffer: ResultBuffer, results: readonly DeliveryResult[]): Promise<void> {
    for (let failed = 1; ; failed++) {
      try {
        return await (buffer === this.#endings ? this.#finish(results) : this.#record(results));
      } catch (error) {
        const willRetry = error instanceof PlatformError && error.retryable && !this.#abandoned;
        this.#listener.failed(error, results, willRetry);
        if (!willRetry) return this.#writeHalves(buffer, results);
        await sleep(backoffMs(failed, backoff, Math.random()));
      }
    }
  }

  /**
   * Writes the batch in halves, so that a row that the database refuses does not affect the others.
   */
  async #writeHalves(buffer: ResultBuffer, results: readonly DeliveryResult[]): Promise<void> {
    if (results.length === 1 || this.#abandoned) {
      return this.#listener.lost(results.length, buffer === this.#endings ? [] : results);
    }
    const middle = results.length >> 1;
    await this.#write(buffer, results.slice(0, middle));
    await this.#write(buffer, results.slice(middle));
  }

  async #finish(results: readonly DeliveryResult[]): Promise<void> {
    const written = await finishResults(this.#db, results, this.#options.events);
    if (written < results.length) this.#listener.lost(results.length - written, []);
  }

  async #record(results: readonly DeliveryResult[]): Promise<void> {
    const { events, leaseMs } = this.#options;
    const askedAtMs = performance.now();
    const recorded = await this.#db.transaction(async (tx) => {
      // Sent together: the second runs after the first, and sees what was committed before it.
      const [, written] = await Promise.all([
        lockHeads(tx, results),
        recordResults(tx, results, leaseMs),
      ]);
      await writeEffects(tx, written, events);
      return written;
    });
    if (recorded.length < results.length) {
      const written = new Set(recorded.map(({ result }) => result));
      const lost = results.filter((result) => !written.has(result));
      this.#listener.lost(lost.length, lost);
    }
    this.#listener.recorded(recorded, askedAtMs);
  }
}

function newBuffer(windowMs: number): ResultBuffer {
  return { results: [], windowMs, timer: undefined, writing: false };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import type { DeliveryResult } from '../delivery/delivery.js';
import type { ResultEffects } from './result-effects.js';
import { lockHeads, type Recorded, recordResults } from './result-store.js';

/** What the recorder tells, once results are committed or known to be lost. */
export interface RecorderListener {
  recorded(recorded: readonly Recorded[], askedAtMs: number): void;
  /** Leases had been lost: another worker has taken over, and nothing was written. */
  lost(count: number, careful: readonly DeliveryResult[]): void;
  failed(error: unknown, results: readonly DeliveryResult[], willRetry: boolean): void;
}

export interface RecorderOptions {
  readonly leaseMs: number;
  /** Results wait this long for others to share their write, in ms. */
  readonly windowMs: number;
  /** The same for those of ordered queues, whose next callback waits for it. */
  readonly orderedWindowMs: number;
  readonly maxBatch: number;
  /** What is written in the same transaction as results: notices of failures, events. */
  readonly effects: ResultEffects;
}

const backoff = { initialMs: 50, maxMs: 2_000 };

/**
 * Results that wait for others to share their write. One write at a time: what comes meanwhile makes
 * up the next, so that batches grow with the load, and nothing waits long without any.
 */
interface Gathering {
  readonly results: DeliveryResult[];
  readonly windowMs: number;
  timer: NodeJS.Timeout | undefined;
  writing: boolean;
}

/**
 * Writes results in batches. A database that is away is waited for: the fence decides in the end
 * whether a late result still counts.
 */
export class Recorder {
  readonly #db: Database;
  readonly #options: RecorderOptions;
  readonly #listener: RecorderListener;
  /** Those that end a callback without a queue. */
  readonly #plain: Gathering;
  /** Those that need more care: of ordered queues, to be retried, or with company. */
  readonly #careful: Gathering;
  #drained: (() => void) | undefined;
  #abandoned = false;

  constructor(db: Database, options: RecorderOptions, listener: RecorderListener) {
    this.#db = db;
    this.#options = options;
    this.#listener = listener;
    this.#plain = toGathering(options.windowMs);
    this.#careful = toGathering(options.orderedWindowMs);
  }

  /** After {@link abandon} nothing more is taken: what ends then ended because its worker stopped. */
  add(result: DeliveryResult): void {
    if (this.#abandoned) return;
    const careful =
      result.delivery.ordered ||
      result.verdict.kind !== 'ended' ||
      this.#options.effects.hasEffects(result);
    const gathering = careful ? this.#careful : this.#plain;
    gathering.results.push(result);
    if (gathering.results.length >= this.#options.maxBatch) this.#pump(gathering);
    else this.#pumpSoon(gathering);
  }

  /** Results that are not written yet, but for those being written. */
  get size(): number {
    return this.#plain.results.length + this.#careful.results.length;
  }

  /** Writes everything that was added. */
  async drain(): Promise<void> {
    this.#pump(this.#careful);
    this.#pump(this.#plain);
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
    return [this.#plain, this.#careful].every(({ writing, results }) => {
      return !writing && results.length === 0;
    });
  }

  #pumpSoon(gathering: Gathering): void {
    gathering.timer ??= setTimeout(() => {
      gathering.timer = undefined;
      this.#pump(gathering);
    }, gathering.windowMs);
  }

  #pump(gathering: Gathering): void {
    if (gathering.writing || gathering.results.length === 0) return;
    clearTimeout(gathering.timer);
    gathering.timer = undefined;
    gathering.writing = true;
    const results = gathering.results.splice(0, this.#options.maxBatch);
    void this.#write(results, gathering === this.#careful).then(() => {
      gathering.writing = false;
      this.#wrote(gathering);
    });
  }

  #wrote(gathering: Gathering): void {
    if (this.#isIdle()) {
      this.#drained?.();
      return;
    }
    // Without a timer, their time was over during the write.
    const isOver = gathering.timer === undefined || this.#drained !== undefined;
    if (isOver || gathering.results.length >= this.#options.maxBatch) this.#pump(gathering);
  }

  async #write(results: DeliveryResult[], careful: boolean): Promise<void> {
    const { effects } = this.#options;
    for (let failed = 1; ; failed++) {
      const askedAtMs = performance.now();
      try {
        if (careful) this.#settle(results, await this.#record(results), askedAtMs);
        else this.#countLost(results.length - (await effects.finish(this.#db, results)));
        return;
      } catch (error) {
        const retryable = error instanceof PlatformError && error.retryable && !this.#abandoned;
        this.#listener.failed(error, results, retryable);
        if (!retryable) return this.#isolate(results, careful);
        await sleep(backoffMs(failed, backoff, Math.random()));
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
      await this.#options.effects.write(tx, recorded);
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

function toGathering(windowMs: number): Gathering {
  return { results: [], windowMs, timer: undefined, writing: false };
}

import type { Database, Transaction } from '@posthaste/postgres';
import type { EventFanout } from './event-fanout.js';
import type { SubscribedEvent } from './subscribed-event.js';

/** Where events come from: a log of which this consumer has read a part. */
export interface EventSource {
  /**
   * The next events in their order, `limit` at most, none when there are no more now. That they are
   * consumed is written in `tx`: when it is rolled back, the next call gives them again. Several
   * processes may ask at once; each event goes to one of them.
   */
  readBatch(tx: Transaction, limit: number): Promise<readonly SubscribedEvent[]>;
}

/** Told of what happens, for metrics and logs. Must not throw. */
export interface ConsumerObserver {
  /** Events consumed, and the callbacks made for them, committed together. */
  consumed(events: number, callbacks: number): void;
  /** It is tried again after `retryInMs`. */
  failed(error: unknown, retryInMs: number): void;
}

export interface SubscriptionConsumerOptions {
  readonly db: Database;
  readonly source: EventSource;
  readonly fanout: EventFanout;
  readonly observer: ConsumerObserver;
  /** Events in one transaction at most. Default 100. */
  readonly batchSize?: number | undefined;
  /** The source is asked at least this often, in ms. Default 1,000. */
  readonly pollMs?: number | undefined;
  /** The wait after a failure, doubled with each in a row up to `maxBackoffMs`. Default 100. */
  readonly minBackoffMs?: number | undefined;
  /** Default 10,000. */
  readonly maxBackoffMs?: number | undefined;
}

/** A loop that turns events into callbacks until it is closed. */
export interface SubscriptionConsumer {
  /** There may be new events: asks the source at once. A hint; after a failure it changes nothing. */
  wake(): void;
  /** Finishes the batch in hand and stops. Idempotent. */
  close(): Promise<void>;
}

/** Starts consuming. What fails is tried again, with the events as they were. */
export function createSubscriptionConsumer(
  options: SubscriptionConsumerOptions,
): SubscriptionConsumer {
  return new ConsumerLoop(options);
}

class ConsumerLoop implements SubscriptionConsumer {
  readonly #options: SubscriptionConsumerOptions;
  readonly #running: Promise<void>;
  #closed = false;
  #woken = false;
  /** Ends the wait under way: `backoff` for the one after a failure. */
  #wait: { readonly end: () => void; readonly backoff: boolean } | undefined;

  constructor(options: SubscriptionConsumerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  wake(): void {
    this.#woken = true;
    if (this.#wait?.backoff === false) this.#wait.end();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wait?.end();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { observer, batchSize = 100, pollMs = 1_000 } = this.#options;
    const { minBackoffMs = 100, maxBackoffMs = 10_000 } = this.#options;
    let failures = 0;
    while (!this.#closed) {
      this.#woken = false;
      try {
        const events = await this.#consume(batchSize);
        failures = 0;
        // A full batch is followed by another, most likely.
        if (events < batchSize && !this.#woken) await this.#sleep(pollMs, false);
      } catch (error) {
        const full = Math.min(maxBackoffMs, minBackoffMs * 2 ** failures);
        const retryInMs = full * (0.5 + Math.random() / 2);
        failures += 1;
        observer.failed(error, retryInMs);
        await this.#sleep(retryInMs, true);
      }
    }
  }

  async #consume(limit: number): Promise<number> {
    const { db, source, fanout, observer } = this.#options;
    const done = await db.transaction(async (tx) => {
      const events = await source.readBatch(tx, limit);
      return { events: events.length, callbacks: await fanout.deliverEvents(tx, events) };
    });
    if (done.events > 0) observer.consumed(done.events, done.callbacks);
    return done.events;
  }

  async #sleep(ms: number, backoff: boolean): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wait = {
        backoff,
        end: () => {
          clearTimeout(timer);
          resolve();
        },
      };
    });
    this.#wait = undefined;
  }
}

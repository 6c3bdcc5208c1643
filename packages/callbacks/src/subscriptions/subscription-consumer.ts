import { backoffMs } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import type { EventFanout, EventSelector } from './event-fanout.js';

/** A batch of events of a log. */
export interface EventBatch {
  readonly events: readonly SubscribedEvent[];
  /** True if the log had more events than these. */
  readonly more: boolean;
}

/** Source of events: a log, with the offset up to which this consumer has read it. */
export interface EventSource {
  /**
   * Reads the next events in their order, at most `limit`. Their consumption is written in `tx`: if
   * it is rolled back, the next call returns them again. Several processes may call at once; each
   * event goes to one of them.
   * @param getSelector returns the selector of the events to read; the others are consumed unread.
   *   It may be called several times, each time after the end of the batch in the log is fixed
   */
  readBatch(
    tx: Transaction,
    limit: number,
    getSelector: () => Promise<EventSelector>,
  ): Promise<EventBatch>;
}

/** Observer of a consumer, for metrics and logs. Its methods must not throw. */
export interface ConsumerObserver {
  /** Called after a commit with the numbers of events consumed and of callbacks made for them. */
  consumed(events: number, callbacks: number): void;
  /** Called when a batch has failed; it is tried again after `retryInMs`. */
  failed(error: unknown, retryInMs: number): void;
}

/** Options of {@link createSubscriptionConsumer}. */
export interface SubscriptionConsumerOptions {
  readonly db: Database;
  readonly source: EventSource;
  readonly fanout: EventFanout;
  readonly observer: ConsumerObserver;
  /** Most events of one transaction. Default 100. */
  readonly batchSize?: number | undefined;
  /** Time of a transaction, in ms, after which the next ones get fewer events. Default 1,000. */
  readonly maxBatchMs?: number | undefined;
  /** Longest time between two polls of the source, in ms. Default 1,000. */
  readonly pollMs?: number | undefined;
  /** Wait after the first failure, in ms; doubled after each further one in a row. Default 100. */
  readonly minBackoffMs?: number | undefined;
  /** Longest wait after a failure, in ms. Default 10,000. */
  readonly maxBackoffMs?: number | undefined;
}

/** A loop that turns events into callbacks until it is closed. */
export interface SubscriptionConsumer {
  /** Notifies it of new events: it polls soon, unless it waits after a failure. */
  notify(): void;
  /** Finishes the present batch and stops. Idempotent. */
  close(): Promise<void>;
}

/** Shortest time between two polls, however many notifications come, in ms. */
const minPollMs = 5;
/** The same after a poll that found no events. */
const minEmptyPollMs = 50;

/** Starts a consumer. A batch that fails is tried again, with the same events. */
export function createSubscriptionConsumer(
  options: SubscriptionConsumerOptions,
): SubscriptionConsumer {
  return new ConsumerLoop(options);
}

interface PollResult {
  readonly events: number;
  readonly more: boolean;
  /** True if there is any subscription. */
  readonly hasSubscriptions: boolean;
}

class ConsumerLoop implements SubscriptionConsumer {
  readonly #options: SubscriptionConsumerOptions;
  readonly #running: Promise<void>;
  #closed = false;
  #notified = false;
  /** The present wait. */
  #wait: { readonly end: () => void; readonly endsOnNotify: boolean } | undefined;

  constructor(options: SubscriptionConsumerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  notify(): void {
    this.#notified = true;
    if (this.#wait?.endsOnNotify) this.#wait.end();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wait?.end();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { observer, batchSize = 100, maxBatchMs = 1_000 } = this.#options;
    const { minBackoffMs = 100, maxBackoffMs = 10_000 } = this.#options;
    let failures = 0;
    let limit = batchSize;
    while (!this.#closed) {
      this.#notified = false;
      const startedMs = performance.now();
      try {
        const result = await this.#poll(limit);
        failures = 0;
        // Filters may take long: then the transaction does not stay open for many events of that kind.
        const isLong = performance.now() - startedMs > maxBatchMs;
        limit = isLong ? Math.ceil(result.events / 4) || 1 : Math.min(batchSize, limit * 2);
        if (!result.more) await this.#waitForNextPoll(result);
      } catch (error) {
        failures += 1;
        const backoff = { initialMs: minBackoffMs, maxMs: maxBackoffMs };
        const retryInMs = backoffMs(failures, backoff, Math.random());
        observer.failed(error, retryInMs);
        await this.#sleep(retryInMs, false);
      }
    }
  }

  async #poll(limit: number): Promise<PollResult> {
    const { db, source, fanout, observer } = this.#options;
    let hasSubscriptions = true;
    const done = await db.transaction(async (tx) => {
      const { events, more } = await source.readBatch(tx, limit, async () => {
        const selector = await fanout.currentSelector(tx);
        hasSubscriptions = selector !== 'none';
        return selector;
      });
      return { events: events.length, more, callbacks: await fanout.deliverEvents(tx, events) };
    });
    if (done.events > 0) observer.consumed(done.events, done.callbacks);
    return { events: done.events, more: done.more, hasSubscriptions };
  }

  /** Waits until the next poll. Without subscriptions, notifications do not make it earlier. */
  async #waitForNextPoll({ events, hasSubscriptions }: PollResult): Promise<void> {
    const { pollMs = 1_000 } = this.#options;
    if (!hasSubscriptions) return this.#sleep(pollMs, false);
    const minMs = Math.min(pollMs, events > 0 ? minPollMs : minEmptyPollMs);
    await this.#sleep(minMs, false);
    if (!this.#notified) await this.#sleep(pollMs - minMs, true);
  }

  async #sleep(ms: number, endsOnNotify: boolean): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wait = {
        endsOnNotify,
        end: () => {
          clearTimeout(timer);
          resolve();
        },
      };
    });
    this.#wait = undefined;
  }
}

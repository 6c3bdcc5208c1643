import { backoffMs } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import type { EventChoice, EventFanout } from './event-fanout.js';

/** Some of what a log has. */
export interface EventBatch {
  readonly events: readonly SubscribedEvent[];
  /** There was more than this when it was looked. */
  readonly more: boolean;
}

/** Where events come from: a log of which this consumer has read a part. */
export interface EventSource {
  /**
   * The next events in their order, `limit` at most. That they are consumed is written in `tx`: when
   * it is rolled back, the next call gives them again. Several processes may ask at once; each event
   * goes to one of them.
   * @param choose says which of them are wanted, the others being consumed unread; may be asked
   *   several times, and each time after it is settled which events those are
   */
  readBatch(
    tx: Transaction,
    limit: number,
    choose: () => Promise<EventChoice>,
  ): Promise<EventBatch>;
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
  /** The source is asked at least this often, in ms, hints aside. Default 1,000. */
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

/** Between two looks, however many hints there are, in milliseconds; the second when one was in vain. */
const minLookMs = 5;
const minVainLookMs = 50;

/** Starts consuming. What fails is tried again, with the events as they were. */
export function createSubscriptionConsumer(
  options: SubscriptionConsumerOptions,
): SubscriptionConsumer {
  return new ConsumerLoop(options);
}

interface Look {
  readonly events: number;
  readonly more: boolean;
  /** Whether any event could be wanted at all. */
  readonly wanted: boolean;
}

class ConsumerLoop implements SubscriptionConsumer {
  readonly #options: SubscriptionConsumerOptions;
  readonly #running: Promise<void>;
  #closed = false;
  #woken = false;
  /** Ends the wait under way, if hints do. */
  #wait: { readonly end: () => void; readonly hears: boolean } | undefined;

  constructor(options: SubscriptionConsumerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  wake(): void {
    this.#woken = true;
    if (this.#wait?.hears) this.#wait.end();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wait?.end();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { observer, batchSize = 100 } = this.#options;
    const { minBackoffMs = 100, maxBackoffMs = 10_000 } = this.#options;
    let failures = 0;
    while (!this.#closed) {
      this.#woken = false;
      try {
        const look = await this.#consume(batchSize);
        failures = 0;
        if (!look.more) await this.#rest(look);
      } catch (error) {
        failures += 1;
        const backoff = { initialMs: minBackoffMs, maxMs: maxBackoffMs };
        const retryInMs = backoffMs(failures, backoff, Math.random());
        observer.failed(error, retryInMs);
        await this.#sleep(retryInMs, false);
      }
    }
  }

  async #consume(limit: number): Promise<Look> {
    const { db, source, fanout, observer } = this.#options;
    let wanted = true;
    const done = await db.transaction(async (tx) => {
      const { events, more } = await source.readBatch(tx, limit, async () => {
        const choice = await fanout.choose(tx);
        wanted = choice !== 'none';
        return choice;
      });
      return { events: events.length, more, callbacks: await fanout.deliverEvents(tx, events) };
    });
    if (done.events > 0) observer.consumed(done.events, done.callbacks);
    return { events: done.events, more: done.more, wanted };
  }

  /** Until it is time to look again: without any subscription there is no hurry. */
  async #rest({ events, wanted }: Look): Promise<void> {
    const { pollMs = 1_000 } = this.#options;
    if (!wanted) return this.#sleep(pollMs, false);
    const restMs = Math.min(pollMs, events > 0 ? minLookMs : minVainLookMs);
    await this.#sleep(restMs, false);
    if (!this.#woken) await this.#sleep(pollMs - restMs, true);
  }

  async #sleep(ms: number, hears: boolean): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wait = {
        hears,
        end: () => {
          clearTimeout(timer);
          resolve();
        },
      };
    });
    this.#wait = undefined;
  }
}

import type { Transaction } from '@posthaste/postgres';
import type { CallbackEvent, CallbackEventSink } from './callback-events.js';

/** What a log must do to be told of callbacks. `PostgresLog` of @posthaste/eventstream does it. */
export interface TellingLog {
  appendEvents(
    tx: Transaction,
    events: readonly CallbackEvent[],
    manner: { readonly keyOrder: 'append'; readonly notify: false },
  ): Promise<unknown>;
  /** Tells readers that something was appended to the topic. */
  hint(topic: string): void;
}

export interface EventLogSinkOptions {
  readonly log: TellingLog;
  readonly wants: CallbackEventSink['wants'];
}

/**
 * From an append to the hint about it, in milliseconds: the transaction has committed by then, most
 * likely, and what others append meanwhile needs none of its own. Readers look by themselves, too.
 */
const hintAfterMs = 20;

/**
 * Writes what is told to a log. Neither does the commit notify readers, nor do appenders of a key
 * wait for one another there: rows of the callback, its queue or its endpoint are locked by then.
 */
export class EventLogSink implements CallbackEventSink {
  readonly wants: CallbackEventSink['wants'];
  readonly #log: TellingLog;
  readonly #appended = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ log, wants }: EventLogSinkOptions) {
    this.#log = log;
    this.wants = wants;
  }

  append(tx: Transaction, events: readonly CallbackEvent[]): Promise<unknown> {
    for (const { topic } of events) this.#appended.add(topic);
    this.#timer ??= setTimeout(() => this.#hint(), hintAfterMs).unref();
    return this.#log.appendEvents(tx, events, { keyOrder: 'append', notify: false });
  }

  #hint(): void {
    this.#timer = undefined;
    for (const topic of this.#appended) this.#log.hint(topic);
    this.#appended.clear();
  }
}

import type { Transaction } from '@posthaste/postgres';
import {
  type CallbackEvent,
  type CallbackEventSink,
  callbackEventTopic,
  type StatementLog,
} from './callback-events.js';

/** What a log must do to be told of callbacks. `PostgresLog` of @posthaste/eventstream does it. */
export interface EventLog {
  appendEvents(
    tx: Transaction,
    events: readonly CallbackEvent[],
    manner: { readonly keyOrder: 'append'; readonly notify: false },
  ): Promise<unknown>;
  /** Tells readers that something was appended to the topic. */
  hint(topic: string): void;
  /** For statements that append by themselves. Makes the topic unless it is there. */
  inStatement(topic: string): Promise<Omit<StatementLog, 'hint'>>;
}

export interface EventLogSinkOptions {
  readonly log: EventLog;
  readonly wants: CallbackEventSink['wants'];
}

/**
 * From an append to the hint about it, in milliseconds: the transaction has committed by then, most
 * likely, and what others append meanwhile needs none of its own. Readers look by themselves, too.
 */
const hintAfterMs = 50;

/**
 * Writes what is told to a log. Neither does the commit notify readers, nor do appenders of a key
 * wait for one another there: rows of the callback, its queue or its endpoint are locked by then.
 */
export class EventLogSink implements CallbackEventSink {
  readonly wants: CallbackEventSink['wants'];
  readonly #log: EventLog;
  readonly #appended = new Set<string>();
  #inStatement: StatementLog | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ log, wants }: EventLogSinkOptions) {
    this.#log = log;
    this.wants = wants;
  }

  get inStatement(): StatementLog | undefined {
    return this.#inStatement;
  }

  /** For who tells of thousands a second: from now on statements may append by themselves. */
  async start(): Promise<void> {
    const log = await this.#log.inStatement(callbackEventTopic);
    this.#inStatement = { ...log, hint: () => this.#hintSoon(callbackEventTopic) };
  }

  append(tx: Transaction, events: readonly CallbackEvent[]): Promise<unknown> {
    for (const { topic } of events) this.#hintSoon(topic);
    return this.#log.appendEvents(tx, events, { keyOrder: 'append', notify: false });
  }

  #hintSoon(topic: string): void {
    this.#appended.add(topic);
    this.#timer ??= setTimeout(() => this.#hint(), hintAfterMs).unref();
  }

  #hint(): void {
    this.#timer = undefined;
    for (const topic of this.#appended) this.#log.hint(topic);
    this.#appended.clear();
  }
}

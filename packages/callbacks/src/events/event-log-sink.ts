import { callbackEventTopic } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import type {
  CallbackEvent,
  CallbackEventSink,
  DisableRecorder,
  StatementLog,
} from './callback-events.js';

/**
 * Event log that events about callbacks are appended to, such as `PostgresLog` of
 * @posthaste/eventstream.
 */
export interface EventLog {
  appendEvents(
    tx: Transaction,
    events: readonly CallbackEvent[],
    options: { readonly keyOrder: 'append'; readonly notify: false },
  ): Promise<unknown>;
  /** Lets readers of the topic know that something was appended. */
  hint(topic: string): void;
  /**
   * Returns the log for statements that append by themselves. Creates the topic unless it exists.
   */
  inStatement(topic: string): Promise<Omit<StatementLog, 'hint'>>;
}

/** Options of an {@link EventLogSink}. */
export interface EventLogSinkOptions {
  readonly log: EventLog;
  readonly wants: CallbackEventSink['wants'];
  /** Recorder of endpoints that are disabled by a result. Default: none. */
  readonly disables?: DisableRecorder | undefined;
}

/**
 * Time from an append to the hint about it, in ms. Most likely the transaction has committed by
 * then, and one hint does for everything that was appended meanwhile. Readers poll as well.
 */
const hintAfterMs = 50;

/**
 * Appends events to a log. It lets readers know some time after the append, not with the commit.
 * Nor do appenders to one key wait for one another there: they hold locks on the row of the
 * callback, its queue or its endpoint by then.
 */
export class EventLogSink implements CallbackEventSink {
  readonly wants: CallbackEventSink['wants'];
  readonly disables: DisableRecorder | undefined;
  readonly #log: EventLog;
  readonly #appended = new Set<string>();
  #inStatement: StatementLog | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ log, wants, disables }: EventLogSinkOptions) {
    this.#log = log;
    this.wants = wants;
    this.disables = disables;
  }

  /** Present after {@link start}. */
  get inStatement(): StatementLog | undefined {
    return this.#inStatement;
  }

  /**
   * Lets statements append by themselves from now on: for processes with thousands of events a
   * second.
   */
  async start(): Promise<void> {
    const log = await this.#log.inStatement(callbackEventTopic);
    this.#inStatement = { ...log, hint: () => this.#hintLater(callbackEventTopic) };
  }

  append(tx: Transaction, events: readonly CallbackEvent[]): Promise<unknown> {
    for (const { topic } of events) this.#hintLater(topic);
    return this.#log.appendEvents(tx, events, { keyOrder: 'append', notify: false });
  }

  #hintLater(topic: string): void {
    this.#appended.add(topic);
    this.#timer ??= setTimeout(() => this.#hint(), hintAfterMs).unref();
  }

  #hint(): void {
    this.#timer = undefined;
    for (const topic of this.#appended) this.#log.hint(topic);
    this.#appended.clear();
  }
}

import type { EventEnvelope } from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import type { DispatchTable, SubscriberGroup } from './dispatch-table.js';
import { type PastFailures, readPastFailures } from './failed-record.js';
import type { ConsumerName } from './observer.js';
import type { ProcessorControl } from './partition-processor.js';
import { maxTimerMs } from './retry-policy.js';
import { type Subscriber, toSubscriptionName } from './subscriber.js';
import {
  type HandlingResult,
  type ReceivedRecord,
  SubscriberGroupHandler,
  type SubscriberGroupHandlerOptions,
} from './subscriber-group-handler.js';

/**
 * Decodes the event in a record; null if the record has no value.
 * @throws when the record is not an event: it is unreadable
 */
export type EventDecoder = (record: StoredRecord) => EventEnvelope | null;

/** Subscribers of one topic and group, by kind of handler. */
export interface SubscriberTables {
  readonly events: DispatchTable<Subscriber>;
  readonly raws: DispatchTable<Subscriber>;
}

/** Options of a record dispatcher. */
export interface RecordDispatcherOptions extends SubscriberGroupHandlerOptions {
  readonly decode: EventDecoder;
  readonly tables: SubscriberTables;
}

/**
 * Results from the least to the most severe. A record with several results gets the most severe.
 */
const severity: readonly HandlingResult[] = [
  'skipped',
  'handled',
  'unreadable',
  'retried',
  'dead',
  'abandoned',
];

const noFailures: PastFailures = { attempts: 0, subscription: undefined, dueAtMs: 0 };

/**
 * Decodes records, passes them to every subscriber group that asked for them, and reports the
 * outcome.
 */
export class RecordDispatcher {
  readonly #options: RecordDispatcherOptions;
  readonly #handler: SubscriberGroupHandler;

  /**
   * @throws PlatformError `EVENT_INVALID` when the names are too long for dead letters or retries
   */
  constructor(options: RecordDispatcherOptions) {
    this.#options = options;
    this.#handler = new SubscriberGroupHandler(options);
  }

  /** Topic and group that it reads, as in calls of the observer. */
  get consumer(): ConsumerName {
    return this.#handler.consumer;
  }

  /** @returns false when the processor stopped first: the record is not finished */
  handle(record: StoredRecord, processor: ProcessorControl): boolean | Promise<boolean> {
    if (this.#options.level > 0) return this.#handleWhenDue(record, processor);
    return this.#dispatch(record, processor, noFailures);
  }

  /** Waits until a record of a retry topic is due, then handles it. */
  async #handleWhenDue(record: StoredRecord, processor: ProcessorControl): Promise<boolean> {
    const past = readPastFailures(record);
    const waitMs = Math.min(past.dueAtMs - Date.now(), maxTimerMs);
    if (waitMs > 0 && !(await processor.sleep(waitMs))) return false;
    return this.#dispatch(record, processor, past);
  }

  #dispatch(
    record: StoredRecord,
    processor: ProcessorControl,
    past: PastFailures,
  ): boolean | Promise<boolean> {
    const { events, raws } = this.#options.tables;
    const undecoded = { record, event: null, processor, past };
    if (events.size === 0 && !raws.asksForNames) return this.#handleBy(raws.match(''), undecoded);
    let event: EventEnvelope | null;
    try {
      event = this.#options.decode(record);
    } catch (error) {
      return this.#handleUnreadable(undecoded, error);
    }
    if (event === null) return this.#handleBy(raws.groups, undecoded);
    const matching = events.match(event.name);
    const groups = raws.size === 0 ? matching : [...matching, ...raws.match(event.name)];
    return this.#handleBy(groups, { record, event, processor, past });
  }

  #handleBy(
    groups: readonly SubscriberGroup<Subscriber>[],
    received: ReceivedRecord,
  ): boolean | Promise<boolean> {
    const recipients = this.#recipients(groups, received);
    const [first] = recipients;
    if (recipients.length <= 1) {
      const result = first ? this.#handler.handle(first, received) : 'skipped';
      if (typeof result === 'string') return this.#finish(received.record, result);
      return result.then((outcome) => this.#finish(received.record, outcome));
    }
    return Promise.all(recipients.map((group) => this.#handler.handle(group, received))).then(
      (results) => this.#finish(received.record, mostSevere(results)),
    );
  }

  /**
   * Handles an unreadable record: only raw handlers for all events get it, because its event name
   * is unknown.
   */
  async #handleUnreadable(received: ReceivedRecord, error: unknown): Promise<boolean> {
    const { record } = received;
    const { events, raws } = this.#options.tables;
    const recipients = this.#recipients(raws.match(''), received);
    const results = await Promise.all(
      recipients.map((group) => this.#handler.handle(group, received)),
    );
    // For all other subscriptions, the record went to the dead letters when it was read from the
    // topic.
    if (this.#options.level > 0) return this.#finish(record, mostSevere(results));
    const isWanted = events.groups.some(({ members }) =>
      members.some(({ sendErrorDlq }) => sendErrorDlq),
    );
    const rest = isWanted ? await this.#handler.deadLetter(received, error) : 'unreadable';
    return this.#finish(record, mostSevere([...results, rest]));
  }

  /** Returns all groups, or in a retry topic only the group in which the record failed. */
  #recipients(
    groups: readonly SubscriberGroup<Subscriber>[],
    { past }: ReceivedRecord,
  ): readonly SubscriberGroup<Subscriber>[] {
    if (this.#options.level === 0) return groups;
    return groups.filter(
      ({ members: [one] }) => one && toSubscriptionName(one) === past.subscription,
    );
  }

  #finish(record: StoredRecord, result: HandlingResult): boolean {
    if (result === 'abandoned') return false;
    this.#options.observer.finished(this.consumer, record, result);
    return true;
  }
}

function mostSevere(results: readonly HandlingResult[]): HandlingResult {
  return results.reduce(
    (worst, result) => (severity.indexOf(result) > severity.indexOf(worst) ? result : worst),
    'skipped',
  );
}

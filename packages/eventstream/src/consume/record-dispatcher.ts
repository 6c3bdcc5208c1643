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

/** Makes a record's value an event. @throws when it is none: the record is unreadable */
export type EventDecoder = (value: Buffer, topic: string) => EventEnvelope;

/** Who takes part in one topic and group. */
export interface SubscriberTables {
  readonly events: DispatchTable<Subscriber>;
  readonly raws: DispatchTable<Subscriber>;
}

export interface RecordDispatcherOptions extends SubscriberGroupHandlerOptions {
  readonly decode: EventDecoder;
  readonly tables: SubscriberTables;
}

/** Of several results the record has the gravest, which stands last. */
const gravity: readonly HandlingResult[] = [
  'skipped',
  'handled',
  'unreadable',
  'retried',
  'dead',
  'abandoned',
];

const noFailures: PastFailures = { attempts: 0, subscription: undefined, dueAtMs: 0 };

/** Reads records, gives them to all who asked for them, and says when they are finished. */
export class RecordDispatcher {
  readonly #options: RecordDispatcherOptions;
  readonly #delivery: SubscriberGroupHandler;

  /** @throws PlatformError `EVENT_INVALID` when the names are too long for dead letters or retries */
  constructor(options: RecordDispatcherOptions) {
    this.#options = options;
    this.#delivery = new SubscriberGroupHandler(options);
  }

  /** What it reads, as observers know it. */
  get consumer(): ConsumerName {
    return this.#delivery.consumer;
  }

  /** @returns false when the lane was stopped first: the record is not finished */
  handle(record: StoredRecord, lane: ProcessorControl): boolean | Promise<boolean> {
    if (this.#options.level > 0) return this.#handleLater(record, lane);
    return this.#dispatch(record, lane, noFailures);
  }

  /** Records of a retry topic have a moment before which they are not tried. */
  async #handleLater(record: StoredRecord, lane: ProcessorControl): Promise<boolean> {
    const past = readPastFailures(record);
    const waitMs = Math.min(past.dueAtMs - Date.now(), maxTimerMs);
    if (waitMs > 0 && !(await lane.sleep(waitMs))) return false;
    return this.#dispatch(record, lane, past);
  }

  #dispatch(
    record: StoredRecord,
    lane: ProcessorControl,
    past: PastFailures,
  ): boolean | Promise<boolean> {
    const { events, raws } = this.#options.tables;
    const work = { record, event: null, lane, past };
    if (record.value === null) return this.#serveAll(raws.groups, work);
    if (events.size === 0 && !raws.asksForNames) return this.#serveAll(raws.match(''), work);
    let event: EventEnvelope;
    try {
      event = this.#options.decode(record.value, this.#options.origin.topic);
    } catch (error) {
      return this.#handleUnreadable(work, error);
    }
    const takers = events.match(event.name);
    const parties = raws.size === 0 ? takers : [...takers, ...raws.match(event.name)];
    return this.#serveAll(parties, { record, event, lane, past });
  }

  #serveAll(
    parties: readonly SubscriberGroup<Subscriber>[],
    work: ReceivedRecord,
  ): boolean | Promise<boolean> {
    const takers = this.#concerned(parties, work);
    const [first] = takers;
    if (takers.length <= 1) {
      const result = first ? this.#delivery.handle(first, work) : 'skipped';
      if (typeof result === 'string') return this.#finish(work.record, result);
      return result.then((outcome) => this.#finish(work.record, outcome));
    }
    return Promise.all(takers.map((party) => this.#delivery.handle(party, work))).then((results) =>
      this.#finish(work.record, gravestOf(results)),
    );
  }

  /** Raw callbacks for all events can have it; the others cannot know whether it is theirs. */
  async #handleUnreadable(work: ReceivedRecord, error: unknown): Promise<boolean> {
    const { record, lane } = work;
    const { events, raws } = this.#options.tables;
    const takers = this.#concerned(raws.match(''), work);
    const served = await Promise.all(takers.map((party) => this.#delivery.handle(party, work)));
    // What comes back from a retry topic was put away for the others the first time.
    if (this.#options.level > 0) return this.#finish(record, gravestOf(served));
    const wanted = events.groups.some((party) => party.members.some((one) => one.sendErrorDlq));
    const fate = wanted ? await this.#delivery.deadLetter(record, lane, error) : 'unreadable';
    return this.#finish(record, gravestOf([...served, fate]));
  }

  /** In a retry topic a record is only for those for whom it failed. */
  #concerned(
    parties: readonly SubscriberGroup<Subscriber>[],
    { past }: ReceivedRecord,
  ): readonly SubscriberGroup<Subscriber>[] {
    if (this.#options.level === 0) return parties;
    return parties.filter(
      ({ members: [one] }) => one && toSubscriptionName(one) === past.subscription,
    );
  }

  #finish(record: StoredRecord, result: HandlingResult): boolean {
    if (result === 'abandoned') return false;
    this.#options.observer.finished(this.consumer, record, result);
    return true;
  }
}

function gravestOf(results: readonly HandlingResult[]): HandlingResult {
  return results.reduce(
    (gravest, result) => (gravity.indexOf(result) > gravity.indexOf(gravest) ? result : gravest),
    'skipped',
  );
}

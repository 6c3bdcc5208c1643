import type { EventEnvelope } from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import { deadLetterTopic, isDeadLetterTopic, retryTopic } from '../rules/topic-name.js';
import { Attempt, type AttemptResult } from './attempt.js';
import { type PutAwayOptions, putAway, type RecordAppender } from './dead-letters.js';
import type { DispatchTable, Party } from './dispatch-table.js';
import { type PastFailures, readPastFailures, toFailedRecord } from './failed-record.js';
import type { ConsumeObserver, ConsumerName, RecordOutcome } from './observer.js';
import type { LaneControl } from './partition-lane.js';
import { backoffMs, maxTimerMs } from './retry-policy.js';
import type { Subscriber } from './subscriber.js';

/** Makes a record's value an event. @throws when it is none: the record is unreadable */
export type EventDecoder = (value: Buffer, topic: string) => EventEnvelope;

/** Who takes part in one topic and group. */
export interface Parties {
  readonly events: DispatchTable<Subscriber>;
  readonly raws: DispatchTable<Subscriber>;
}

export interface RecordFlowOptions {
  readonly appender: RecordAppender;
  readonly decode: EventDecoder;
  readonly observer: ConsumeObserver;
  /** In [0, 1). */
  readonly random: () => number;
  readonly parties: Parties;
  /** Topic of the subscription and its group, also where records come from a retry topic. */
  readonly origin: ConsumerName;
  /** 0: the topic itself; n: its retry topic n. */
  readonly level: number;
}

type PartyResult = RecordOutcome | 'abandoned';

/** The worst of several results is the record's. */
const gravity: readonly PartyResult[] = [
  'skipped',
  'handled',
  'unreadable',
  'retried',
  'dead',
  'abandoned',
];

const noFailures: PastFailures = { attempts: 0, subscription: undefined, dueAtMs: 0 };

/** Retry topics have groups of their own: who comes and goes there does not disturb the others. */
function toRetryConsumer({ topic, groupId }: ConsumerName, level: number): ConsumerName {
  return { topic: retryTopic(topic, groupId, level), groupId: `${groupId}.retry.${level}` };
}

/** How a party is written in a header of a record that failed for it. */
function nameOf({ kind, eventName }: Subscriber): string {
  return kind === 'raw' ? `raw:${eventName}` : eventName;
}

/** Takes records to their end: read, given to who asked for them, tried again, put away. */
export class RecordFlow {
  readonly #options: RecordFlowOptions;
  readonly #consumer: ConsumerName;
  readonly #putAway: PutAwayOptions;
  readonly #deadLetters: string;

  /** @throws PlatformError `EVENT_INVALID` when the names are too long for dead letters or retries */
  constructor(options: RecordFlowOptions) {
    const { origin, level } = options;
    this.#options = options;
    this.#consumer = level === 0 ? origin : toRetryConsumer(origin, level);
    this.#putAway = { ...options, consumer: this.#consumer };
    // Dead letters are read like any topic, and stay where they are.
    this.#deadLetters = isDeadLetterTopic(origin.topic) ? '' : deadLetterTopic(origin.topic);
  }

  /** What it reads, as observers know it. */
  get consumer(): ConsumerName {
    return this.#consumer;
  }

  /** @returns false when the lane was stopped first: the record is not finished */
  handle(record: StoredRecord, lane: LaneControl): boolean | Promise<boolean> {
    if (this.#options.level > 0) return this.#handleLater(record, lane);
    return this.#dispatch(record, lane, noFailures);
  }

  /** Records of a retry topic have a moment before which they are not tried. */
  async #handleLater(record: StoredRecord, lane: LaneControl): Promise<boolean> {
    const past = readPastFailures(record);
    const waitMs = Math.min(past.dueAtMs - Date.now(), maxTimerMs);
    if (waitMs > 0 && !(await lane.sleep(waitMs))) return false;
    return this.#dispatch(record, lane, past);
  }

  #dispatch(
    record: StoredRecord,
    lane: LaneControl,
    past: PastFailures,
  ): boolean | Promise<boolean> {
    const { events, raws } = this.#options.parties;
    let event: EventEnvelope | null = null;
    let parties: readonly Party<Subscriber>[];
    if (record.value === null) {
      parties = raws.parties;
    } else if (events.size > 0 || raws.asksForNames) {
      try {
        event = this.#options.decode(record.value, this.#options.origin.topic);
      } catch (error) {
        return this.#handleUnreadable(record, lane, past, error);
      }
      parties =
        raws.size === 0
          ? events.match(event.name)
          : [...events.match(event.name), ...raws.match(event.name)];
    } else {
      parties = raws.match('');
    }
    if (this.#options.level > 0) parties = concernedBy(parties, past);
    return this.#serveAll(parties, { record, event, lane, past });
  }

  #serveAll(parties: readonly Party<Subscriber>[], work: Work): boolean | Promise<boolean> {
    const [first] = parties;
    if (parties.length <= 1) {
      const result = first ? this.#serve(first, work) : 'skipped';
      if (typeof result === 'string') return this.#finish(work.record, result);
      return result.then((outcome) => this.#finish(work.record, outcome));
    }
    return Promise.all(parties.map((party) => this.#serve(party, work))).then((results) =>
      this.#finish(work.record, worstOf(results)),
    );
  }

  #finish(record: StoredRecord, result: PartyResult): boolean {
    if (result === 'abandoned') return false;
    this.#options.observer.finished(this.#consumer, record, result);
    return true;
  }

  #serve(party: Party<Subscriber>, work: Work): PartyResult | Promise<PartyResult> {
    const result = this.#attempt(party, work, work.past.attempts + 1);
    if (result === 'done') return 'handled';
    return this.#insist(party, work, result);
  }

  /** Undefined: nobody of the party is left. */
  #attempt(
    party: Party<Subscriber>,
    { record, event, lane }: Work,
    attempt: number,
  ): AttemptResult | Promise<AttemptResult> | undefined {
    const subscriber = party.next();
    if (!subscriber) return undefined;
    return new Attempt(subscriber, record, attempt).run(
      (ctx) => subscriber.call(ctx, event, record),
      lane.running,
    );
  }

  async #insist(
    party: Party<Subscriber>,
    work: Work,
    first: AttemptResult | Promise<AttemptResult> | undefined,
  ): Promise<PartyResult> {
    let attempt = work.past.attempts + 1;
    let result = await first;
    for (;;) {
      if (result === 'done') return 'handled';
      // Its subscription was cancelled, others live on: the event is like one nobody asked for.
      if (result === undefined) return work.lane.stopped ? 'abandoned' : 'skipped';
      if (result === 'abandoned') {
        if (work.lane.stopped) return 'abandoned';
      } else {
        const { error } = result;
        this.#options.observer.attemptFailed(this.#consumer, work.record, attempt, error);
        const [subscriber] = party.members;
        if (!subscriber) {
          result = undefined;
          continue;
        }
        const help = canHelp(subscriber, error);
        if (!help || this.#options.level > 0 || attempt >= subscriber.retry.maxAttempts) {
          return this.#moveOn(subscriber, work, { error, attempts: attempt, help });
        }
        const waitMs = backoffMs(attempt, subscriber.retry, this.#options.random());
        if (!(await work.lane.sleep(waitMs))) return 'abandoned';
        attempt += 1;
      }
      result = await this.#attempt(party, work, attempt);
    }
  }

  /** To the next retry topic, or to the dead letters. */
  async #moveOn(subscriber: Subscriber, { record, lane }: Work, end: End): Promise<PartyResult> {
    const { origin, level } = this.#options;
    const delayMs = end.help ? subscriber.retry.delaysMs[level] : undefined;
    const failure = {
      groupId: origin.groupId,
      error: end.error,
      attempts: end.attempts,
      subscription: nameOf(subscriber),
      ...(delayMs === undefined ? {} : { dueAtMs: Date.now() + delayMs }),
    };
    const topic =
      delayMs === undefined
        ? this.#deadLetters
        : retryTopic(origin.topic, origin.groupId, level + 1);
    const target = { topic, record: toFailedRecord(record, failure) };
    if (!(await putAway(this.#putAway, lane, record, target))) return 'abandoned';
    return delayMs === undefined ? 'dead' : 'retried';
  }

  /** Raw callbacks for all events can have it; the others cannot know whether it is theirs. */
  async #handleUnreadable(
    record: StoredRecord,
    lane: LaneControl,
    past: PastFailures,
    error: unknown,
  ): Promise<boolean> {
    const { events, raws } = this.#options.parties;
    const retried = this.#options.level > 0;
    const takers = retried ? concernedBy(raws.match(''), past) : raws.match('');
    const work = { record, event: null, lane, past };
    const served = await Promise.all(takers.map((party) => this.#serve(party, work)));
    // What comes back from a retry topic was put away for the others the first time.
    if (retried) return this.#finish(record, worstOf(served));
    const wanted = events.parties.some((party) => party.members.some((one) => one.sendErrorDlq));
    const fate = wanted ? await this.#bury(record, lane, error) : 'unreadable';
    return this.#finish(record, worstOf([...served, fate]));
  }

  async #bury(record: StoredRecord, lane: LaneControl, error: unknown): Promise<PartyResult> {
    const { groupId } = this.#options.origin;
    const failure = { groupId, error, attempts: 0, subscription: undefined };
    const target = { topic: this.#deadLetters, record: toFailedRecord(record, failure) };
    return (await putAway(this.#putAway, lane, record, target)) ? 'dead' : 'abandoned';
  }
}

/** One record on its way. */
interface Work {
  readonly record: StoredRecord;
  /** Null when it was not read: there is no value, or only raw callbacks want it. */
  readonly event: EventEnvelope | null;
  readonly lane: LaneControl;
  readonly past: PastFailures;
}

interface End {
  readonly error: unknown;
  readonly attempts: number;
  /** Whether trying again can help. */
  readonly help: boolean;
}

/** In a retry topic a record is only for those for whom it failed. */
function concernedBy(
  parties: readonly Party<Subscriber>[],
  { subscription }: PastFailures,
): readonly Party<Subscriber>[] {
  return parties.filter(({ members: [one] }) => one !== undefined && nameOf(one) === subscription);
}

function worstOf(results: readonly PartyResult[]): PartyResult {
  return results.reduce(
    (worst, result) => (gravity.indexOf(result) > gravity.indexOf(worst) ? result : worst),
    'skipped',
  );
}

/** A judgement that fails itself says nothing against another try. */
function canHelp({ retry }: Subscriber, error: unknown): boolean {
  try {
    return retry.isRetryable(error);
  } catch {
    return true;
  }
}

import type { EventEnvelope } from '@posthaste/contracts';
import { backoffMs } from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import { deadLetterTopic, isDeadLetterTopic, retryTopic } from '../rules/topic-name.js';
import type { SubscriberGroup } from './dispatch-table.js';
import { type PastFailures, toFailedRecord } from './failed-record.js';
import { type CallResult, HandlerCall } from './handler-call.js';
import type { ConsumeObserver, ConsumerName, RecordOutcome } from './observer.js';
import type { ProcessorControl } from './partition-processor.js';
import { type Subscriber, toSubscriptionName } from './subscriber.js';
import { type RecordAppender, writeAside } from './write-aside.js';

/** `abandoned`: the lane was stopped first, the record is not finished. */
export type HandlingResult = RecordOutcome | 'abandoned';

/** One record on its way. */
export interface ReceivedRecord {
  readonly record: StoredRecord;
  /** Null when it was not read: there is no value, or only raw callbacks want it. */
  readonly event: EventEnvelope | null;
  readonly lane: ProcessorControl;
  readonly past: PastFailures;
}

export interface SubscriberGroupHandlerOptions {
  readonly appender: RecordAppender;
  readonly observer: ConsumeObserver;
  /** In [0, 1). */
  readonly random: () => number;
  /** Topic of the subscription and its group, also where records come from a retry topic. */
  readonly origin: ConsumerName;
  /** 0: the topic itself; n: its retry topic n. */
  readonly level: number;
}

interface Exhausted {
  readonly error: unknown;
  readonly attempts: number;
  /** Whether trying again can help. */
  readonly canHelp: boolean;
}

/** Takes one record to its end for one party: called, called again, put away. */
export class SubscriberGroupHandler {
  /** What it reads, as observers know it. */
  readonly consumer: ConsumerName;
  readonly #options: SubscriberGroupHandlerOptions;
  readonly #deadLetters: string;

  /** @throws PlatformError `EVENT_INVALID` when the names are too long for dead letters or retries */
  constructor(options: SubscriberGroupHandlerOptions) {
    const { origin, level } = options;
    this.#options = options;
    this.consumer = level === 0 ? origin : toRetryConsumer(origin, level);
    // Dead letters are read like any topic, and stay where they are.
    this.#deadLetters = isDeadLetterTopic(origin.topic) ? '' : deadLetterTopic(origin.topic);
  }

  /** A record that its first call handles costs no promise, unless the callback makes one. */
  handle(
    party: SubscriberGroup<Subscriber>,
    work: ReceivedRecord,
  ): HandlingResult | Promise<HandlingResult> {
    const result = attemptOf(party, work, work.past.attempts + 1);
    return result === 'done' ? 'handled' : this.#insist(party, work, result);
  }

  /** A record that nobody could read goes to the dead letters. */
  async deadLetter(
    record: StoredRecord,
    lane: ProcessorControl,
    error: unknown,
  ): Promise<HandlingResult> {
    const { groupId } = this.#options.origin;
    const failure = { groupId, error, attempts: 0, subscription: undefined };
    const target = { topic: this.#deadLetters, record: toFailedRecord(record, failure) };
    return (await this.#put(lane, record, target)) ? 'dead' : 'abandoned';
  }

  async #insist(
    party: SubscriberGroup<Subscriber>,
    work: ReceivedRecord,
    first: CallResult | Promise<CallResult> | undefined,
  ): Promise<HandlingResult> {
    let attempt = work.past.attempts + 1;
    for (let result = await first; ; result = await attemptOf(party, work, attempt)) {
      if (result === 'done') return 'handled';
      if (result === 'abandoned' && work.lane.stopped) return 'abandoned';
      const [subscriber] = party.members;
      // Its subscription was cancelled, others live on: the event is like one nobody asked for.
      if (result === undefined || !subscriber) return work.lane.stopped ? 'abandoned' : 'skipped';
      // Another one of the party has it at once: that was no failure.
      if (result === 'abandoned') continue;
      const { error } = result;
      this.#options.observer.attemptFailed(this.consumer, work.record, attempt, error);
      const canHelp = judge(subscriber, error);
      if (!canHelp || this.#options.level > 0 || attempt >= subscriber.retry.maxAttempts) {
        return this.#moveOn(subscriber, work, { error, attempts: attempt, canHelp });
      }
      const waitMs = backoffMs(attempt, subscriber.retry, this.#options.random());
      if (!(await work.lane.sleep(waitMs))) return 'abandoned';
      attempt += 1;
    }
  }

  /** To the next retry topic, or to the dead letters. */
  async #moveOn(
    subscriber: Subscriber,
    { record, lane }: ReceivedRecord,
    { error, attempts, canHelp }: Exhausted,
  ): Promise<HandlingResult> {
    const { origin, level } = this.#options;
    const delayMs = canHelp ? subscriber.retry.delaysMs[level] : undefined;
    const failed = {
      groupId: origin.groupId,
      error,
      attempts,
      subscription: toSubscriptionName(subscriber),
    };
    if (delayMs === undefined) {
      const target = { topic: this.#deadLetters, record: toFailedRecord(record, failed) };
      return (await this.#put(lane, record, target)) ? 'dead' : 'abandoned';
    }
    const delayed = toFailedRecord(record, { ...failed, dueAtMs: Date.now() + delayMs });
    const topic = retryTopic(origin.topic, origin.groupId, level + 1);
    const isPut = await this.#put(lane, record, { topic, record: delayed });
    return isPut ? 'retried' : 'abandoned';
  }

  #put(
    lane: ProcessorControl,
    record: StoredRecord,
    target: Parameters<typeof writeAside>[3],
  ): Promise<boolean> {
    return writeAside({ ...this.#options, consumer: this.consumer }, lane, record, target);
  }
}

/** Retry topics have groups of their own: who comes and goes there does not disturb the others. */
function toRetryConsumer({ topic, groupId }: ConsumerName, level: number): ConsumerName {
  return { topic: retryTopic(topic, groupId, level), groupId: `${groupId}.retry.${level}` };
}

/** Undefined: nobody of the party is left. */
function attemptOf(
  party: SubscriberGroup<Subscriber>,
  { record, event, lane }: ReceivedRecord,
  attempt: number,
): CallResult | Promise<CallResult> | undefined {
  const subscriber = party.next();
  if (!subscriber) return undefined;
  return new HandlerCall(subscriber, record, attempt).run(
    (ctx) => subscriber.call(ctx, event, record),
    lane.calls,
  );
}

/** A judgement that fails itself says nothing against another try. */
function judge({ retry }: Subscriber, error: unknown): boolean {
  try {
    return retry.isRetryable(error);
  } catch {
    return true;
  }
}

import type { EventEnvelope } from '@posthaste/contracts';
import { backoffMs } from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import { deadLetterTopic, isDeadLetterTopic, retryTopic } from '../rules/topic-name.js';
import type { SubscriberGroup } from './dispatch-table.js';
import { type Failure, type PastFailures, toFailedRecord } from './failed-record.js';
import { type CallResult, HandlerCall } from './handler-call.js';
import type { ConsumeObserver, ConsumerName, RecordOutcome } from './observer.js';
import type { ProcessorControl } from './partition-processor.js';
import { type Subscriber, toSubscriptionName } from './subscriber.js';
import { type AsideWrite, type RecordAppender, writeAside } from './write-aside.js';

/** Result of handling. `abandoned`: the processor stopped first, the record is not finished. */
export type HandlingResult = RecordOutcome | 'abandoned';

/** A record that is being handled. */
export interface ReceivedRecord {
  readonly record: StoredRecord;
  /** Null when it was not decoded: there is no value, or only raw handlers want it. */
  readonly event: EventEnvelope | null;
  readonly processor: ProcessorControl;
  readonly past: PastFailures;
}

/** Options of a subscriber group handler. */
export interface SubscriberGroupHandlerOptions {
  readonly appender: RecordAppender;
  readonly observer: ConsumeObserver;
  /** Random source, in [0, 1). */
  readonly random: () => number;
  /** Topic and group of the subscription, also when records come from a retry topic. */
  readonly origin: ConsumerName;
  /** 0: the topic itself; n: its retry topic n. */
  readonly level: number;
}

/** A subscriber that is not called again for a record. */
interface Exhausted {
  readonly subscriber: Subscriber;
  readonly error: unknown;
  readonly attempts: number;
  /** True if another call can help. */
  readonly retryable: boolean;
}

/**
 * Handles records for one subscriber group: calls a member, calls again after failures, and at last
 * writes the record to the next retry topic or to the dead letters.
 */
export class SubscriberGroupHandler {
  /** Topic and group that it reads, as in calls of the observer. */
  readonly consumer: ConsumerName;
  readonly #options: SubscriberGroupHandlerOptions;
  readonly #deadLetters: string;

  /**
   * @throws PlatformError `EVENT_INVALID` when the names are too long for dead letters or retries
   */
  constructor(options: SubscriberGroupHandlerOptions) {
    const { origin, level } = options;
    this.#options = options;
    this.consumer = level === 0 ? origin : toRetryConsumer(origin, level);
    // Dead letters are read like any topic, but never move to another one.
    this.#deadLetters = isDeadLetterTopic(origin.topic) ? '' : deadLetterTopic(origin.topic);
  }

  /**
   * Handles a record. Creates no promise if the first call succeeds and the handler returns none.
   */
  handle(
    group: SubscriberGroup<Subscriber>,
    received: ReceivedRecord,
  ): HandlingResult | Promise<HandlingResult> {
    const result = callNext(group, received, received.past.attempts + 1);
    return result === 'done' ? 'handled' : this.#retryInPlace(group, received, result);
  }

  /** Writes an unreadable record to the dead letters. */
  async deadLetter({ record, processor }: ReceivedRecord, error: unknown): Promise<HandlingResult> {
    const { groupId } = this.#options.origin;
    const failure = { groupId, error, attempts: 0, subscription: undefined };
    return this.#toDeadLetters(record, processor, failure);
  }

  async #retryInPlace(
    group: SubscriberGroup<Subscriber>,
    received: ReceivedRecord,
    first: CallResult | Promise<CallResult> | undefined,
  ): Promise<HandlingResult> {
    const { record, processor } = received;
    let attempt = received.past.attempts + 1;
    for (let result = await first; ; result = await callNext(group, received, attempt)) {
      if (result === 'done') return 'handled';
      if (result === 'abandoned' && processor.stopped) return 'abandoned';
      const [subscriber] = group.members;
      // All subscriptions of the group were cancelled: treated as if no group had asked for the
      // event.
      if (result === undefined || !subscriber) return processor.stopped ? 'abandoned' : 'skipped';
      // Another member gets it at once: a cancelled call is no failure.
      if (result === 'abandoned') continue;
      const { error } = result;
      this.#options.observer.callFailed(this.consumer, { record, attempt, error });
      const retryable = isRetryable(subscriber, error);
      if (!retryable || this.#options.level > 0 || attempt >= subscriber.retry.maxAttempts) {
        return this.#moveOn(received, { subscriber, error, attempts: attempt, retryable });
      }
      const waitMs = backoffMs(attempt, subscriber.retry, this.#options.random());
      if (!(await processor.sleep(waitMs))) return 'abandoned';
      attempt += 1;
    }
  }

  /** Writes the record to the next retry topic, or to the dead letters if there is none. */
  async #moveOn(
    { record, processor }: ReceivedRecord,
    { subscriber, error, attempts, retryable }: Exhausted,
  ): Promise<HandlingResult> {
    const { origin, level } = this.#options;
    const { groupId } = origin;
    const failure = { groupId, error, attempts, subscription: toSubscriptionName(subscriber) };
    const delayMs = retryable ? subscriber.retry.delaysMs[level] : undefined;
    if (delayMs === undefined) return this.#toDeadLetters(record, processor, failure);
    const copy = toFailedRecord(record, { ...failure, dueAtMs: Date.now() + delayMs });
    const topic = retryTopic(origin.topic, groupId, level + 1);
    return (await this.#writeAside(processor, { record, topic, copy })) ? 'retried' : 'abandoned';
  }

  async #toDeadLetters(
    record: StoredRecord,
    processor: ProcessorControl,
    failure: Failure,
  ): Promise<HandlingResult> {
    const write = { record, topic: this.#deadLetters, copy: toFailedRecord(record, failure) };
    return (await this.#writeAside(processor, write)) ? 'dead' : 'abandoned';
  }

  #writeAside(processor: ProcessorControl, write: AsideWrite): Promise<boolean> {
    return writeAside({ ...this.#options, consumer: this.consumer }, processor, write);
  }
}

/** Returns the consumer of a retry topic. It has its own group, so that others do not rebalance. */
function toRetryConsumer({ topic, groupId }: ConsumerName, level: number): ConsumerName {
  return { topic: retryTopic(topic, groupId, level), groupId: `${groupId}.retry.${level}` };
}

/** Calls the next member of the group. Returns `undefined` when all members have left. */
function callNext(
  group: SubscriberGroup<Subscriber>,
  { record, event, processor }: ReceivedRecord,
  attempt: number,
): CallResult | Promise<CallResult> | undefined {
  const subscriber = group.next();
  if (!subscriber) return undefined;
  return new HandlerCall(subscriber, record, attempt).run(
    (ctx) => subscriber.call(ctx, event, record),
    processor.calls,
  );
}

/** True if another call can help. A classifier that throws does not rule it out. */
function isRetryable({ retry }: Subscriber, error: unknown): boolean {
  try {
    return retry.isRetryable(error);
  } catch {
    return true;
  }
}

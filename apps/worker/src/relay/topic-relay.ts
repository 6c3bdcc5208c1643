import {
  type Driver,
  type DriverSubscription,
  offsetBeginning,
  type StoredRecord,
  type SubscriptionHandler,
} from '@posthaste/eventstream';
import { KafkaTopic } from './kafka-topic.js';
import { OffsetCommitter } from './offset-committer.js';
import type { RelayObserver } from './relay-observer.js';

/** Options of `TopicRelay`. */
export interface TopicRelayOptions {
  /** Driver for the log. */
  readonly source: Pick<Driver, 'subscribe'>;
  /** Driver for Kafka. */
  readonly target: Pick<Driver, 'append' | 'partitionCount'>;
  /** Name of the topic in the log. */
  readonly topic: string;
  /** Name of the topic in Kafka. */
  readonly kafkaTopic: string;
  readonly observer: RelayObserver;
}

/** Consumer group of all relays: records below its offsets are published. */
export const relayGroup = 'posthaste.relay';

/** Time in which requests under way may finish when a partition goes to another worker. */
const drainMs = 5_000;
/** Part of `drainMs` that is left to commit offsets. */
const commitMs = 500;

/** Partition of the log while it is assigned to this relay. */
interface Assignment {
  /** Aborted when the partition is lost, or when `drainMs` is over. */
  readonly controller: AbortController;
  /** Resolves when the records under way are published. */
  publishing: Promise<void>;
  /** True if no further records are accepted. */
  isEnding: boolean;
}

/**
 * Relay of one topic of the log to Kafka. It keeps the order of the log for each key and repeats each
 * request until Kafka has acknowledged it. Offsets are committed after that, so a crash repeats
 * records and loses none. A worker whose partition was assigned to another worker may still publish
 * for a moment. Both then publish in the order of the log from a committed offset, so the order
 * holds for readers that skip event ids they have already seen.
 */
export class TopicRelay implements SubscriptionHandler {
  readonly #options: TopicRelayOptions;
  readonly #target: KafkaTopic;
  readonly #assignments = new Map<number, Assignment>();
  readonly #offsets: OffsetCommitter;
  readonly #subscription: DriverSubscription;

  constructor(options: TopicRelayOptions) {
    this.#options = options;
    const { source, target: driver, topic, kafkaTopic, observer } = options;
    this.#target = new KafkaTopic({ driver, topic: kafkaTopic, observer });
    this.#offsets = new OffsetCommitter(
      (offsets) => this.#subscription.commit(offsets),
      (error) => observer.interrupted(topic, error),
    );
    const request = {
      topic,
      groupId: relayGroup,
      groupInstanceId: undefined,
      startOffset: offsetBeginning,
      drainMs,
    };
    this.#subscription = source.subscribe(request, this);
  }

  /** Finishes requests under way, within a few seconds, and leaves the rest to other workers. */
  close(): Promise<void> {
    return this.#subscription.close();
  }

  assigned(partitions: readonly number[]): void {
    for (const partition of partitions) {
      const controller = new AbortController();
      this.#assignments.set(partition, {
        controller,
        publishing: Promise.resolve(),
        isEnding: false,
      });
    }
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    await Promise.all(partitions.map((partition) => this.#end(partition)));
    await this.#offsets.idle();
  }

  lost(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#assignments.get(partition)?.controller.abort();
      this.#assignments.delete(partition);
      this.#offsets.forget(partition);
    }
  }

  async records(partition: number, records: readonly StoredRecord[]): Promise<void> {
    const assignment = this.#assignments.get(partition);
    const last = records.at(-1);
    if (!assignment || assignment.isEnding || !last) return;
    const { signal } = assignment.controller;
    assignment.publishing = this.#target.append(records, signal).then(() => {
      if (!signal.aborted) this.#offsets.commitUpTo(partition, last.offset + 1n);
    });
    await assignment.publishing;
  }

  interrupted(error: unknown): void {
    this.#options.observer.interrupted(this.#options.topic, error);
  }

  async #end(partition: number): Promise<void> {
    const assignment = this.#assignments.get(partition);
    if (!assignment) return;
    assignment.isEnding = true;
    const timer = setTimeout(() => assignment.controller.abort(), drainMs - commitMs);
    await assignment.publishing;
    clearTimeout(timer);
    assignment.controller.abort();
    if (this.#assignments.get(partition) === assignment) this.#assignments.delete(partition);
  }
}

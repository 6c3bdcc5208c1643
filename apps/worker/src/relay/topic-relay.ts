import {
  type Driver,
  type DriverSubscription,
  offsetBeginning,
  type StoredRecord,
  type SubscriptionHandler,
} from '@posthaste/eventstream';
import { KafkaTopic } from './kafka-topic.js';
import { OffsetStore } from './offset-store.js';
import type { RelayObserver } from './relay-observer.js';

export interface TopicRelayOptions {
  /** The log. */
  readonly source: Pick<Driver, 'subscribe'>;
  readonly target: Pick<Driver, 'append' | 'partitionCount'>;
  /** In the log, and in Kafka. */
  readonly topic: string;
  readonly kafkaTopic: string;
  readonly observer: RelayObserver;
}

/** The group of all relays: how far the log has been published. */
export const relayGroup = 'posthaste.relay';

/** What is under way may take so long to finish when a partition goes to another worker. */
const drainMs = 5_000;

/** A partition of the log for as long as it is this relay's. */
interface Assignment {
  /** Aborted when it is not, or when time is over. */
  readonly over: AbortController;
  /** What is under way. */
  publishing: Promise<void>;
  /** Nothing more is taken. */
  ending: boolean;
}

/**
 * Publishes one topic of the log to Kafka: in the order of the log per key, each record until it is
 * acknowledged. An offset is stored after that: a crash repeats records and loses none. When a worker
 * that was taken for dead goes on for a moment beside the one that took over, both publish in the
 * order of the log from an offset that was stored: for who leaves out ids that he has seen, the order
 * holds.
 */
export class TopicRelay implements SubscriptionHandler {
  readonly #options: TopicRelayOptions;
  readonly #target: KafkaTopic;
  readonly #assignments = new Map<number, Assignment>();
  readonly #offsets: OffsetStore;
  readonly #subscription: DriverSubscription;

  constructor(options: TopicRelayOptions) {
    this.#options = options;
    const { source, target: driver, topic, kafkaTopic, observer } = options;
    this.#target = new KafkaTopic({ driver, topic: kafkaTopic, observer });
    this.#offsets = new OffsetStore(
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

  /** Finishes what is under way, within a few seconds, and leaves the rest to others. */
  close(): Promise<void> {
    return this.#subscription.close();
  }

  assigned(partitions: readonly number[]): void {
    for (const partition of partitions) {
      const over = new AbortController();
      this.#assignments.set(partition, { over, publishing: Promise.resolve(), ending: false });
    }
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    await Promise.all(partitions.map((partition) => this.#end(partition)));
    await this.#offsets.settled();
  }

  lost(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#assignments.get(partition)?.over.abort();
      this.#assignments.delete(partition);
      this.#offsets.forget(partition);
    }
  }

  async records(partition: number, records: readonly StoredRecord[]): Promise<void> {
    const assignment = this.#assignments.get(partition);
    const last = records.at(-1);
    if (!assignment || assignment.ending || !last) return;
    const { signal } = assignment.over;
    assignment.publishing = this.#target.append(records, signal).then(() => {
      if (!signal.aborted) this.#offsets.finish(partition, last.offset + 1n);
    });
    await assignment.publishing;
  }

  interrupted(error: unknown): void {
    this.#options.observer.interrupted(this.#options.topic, error);
  }

  async #end(partition: number): Promise<void> {
    const assignment = this.#assignments.get(partition);
    if (!assignment) return;
    assignment.ending = true;
    const timer = setTimeout(() => assignment.over.abort(), drainMs - 500);
    await assignment.publishing;
    clearTimeout(timer);
    assignment.over.abort();
    if (this.#assignments.get(partition) === assignment) this.#assignments.delete(partition);
  }
}

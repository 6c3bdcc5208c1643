import { setTimeout as sleep } from 'node:timers/promises';
import { createPartitioner, type Driver, type StoredRecord } from '@posthaste/eventstream';
import { PartitionForwarder } from './partition-forwarder.js';
import { toRelayError } from './relay-error.js';
import type { RelayObserver } from './relay-observer.js';

export interface KafkaTopicOptions {
  readonly driver: Pick<Driver, 'append' | 'partitionCount'>;
  /** In Kafka. */
  readonly topic: string;
  readonly observer: RelayObserver;
}

/** How often the number of partitions is asked again, in milliseconds. */
const partitionsMaxAgeMs = 300_000;
const retryMs = 1_000;

/** A topic in Kafka: a lane for each partition, which a record's key chooses as it does for clients. */
export class KafkaTopic {
  readonly #options: KafkaTopicOptions;
  readonly #partitionOf = createPartitioner('java');
  readonly #lanes: PartitionForwarder[] = [];
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(options: KafkaTopicOptions) {
    this.#options = options;
  }

  /**
   * Resolves when Kafka has acknowledged all of them, those of a key in the order given, or the
   * signal is aborted. Never rejects.
   */
  async append(records: readonly StoredRecord[], signal: AbortSignal): Promise<void> {
    await this.#ensurePartitions(signal);
    if (signal.aborted) return;
    const count = this.#lanes.length;
    const byPartition = Map.groupBy(records, ({ key }) => this.#partitionOf(key, count));
    await Promise.all(
      [...byPartition].map(([partition, own]) => this.#lanes[partition]?.append(own, signal)),
    );
  }

  async #ensurePartitions(signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#askedAtMs < partitionsMaxAgeMs) return;
    while (!signal.aborted) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
      // Those known from before serve as well.
      if (this.#lanes.length > 0) return;
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #ask(): Promise<void> {
    const { driver, topic, observer } = this.#options;
    try {
      const count = await driver.partitionCount(topic);
      this.#askedAtMs = performance.now();
      while (this.#lanes.length < count) {
        this.#lanes.push(
          new PartitionForwarder({ ...this.#options, partition: this.#lanes.length }),
        );
      }
    } catch (error) {
      observer.failed(topic, toRelayError(error));
    }
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { createPartitioner, type Driver, type StoredRecord } from '@posthaste/eventstream';
import { PartitionForwarder } from './partition-forwarder.js';
import { type RelayObserver, toRelayError } from './relay-observer.js';

/** Options of `KafkaTopic`. */
export interface KafkaTopicOptions {
  readonly driver: Pick<Driver, 'append' | 'partitionCount'>;
  /** Name of the topic in Kafka. */
  readonly topic: string;
  readonly observer: RelayObserver;
}

/** Time after which the number of partitions is asked for again, in ms. */
const partitionsMaxAgeMs = 300_000;
const retryMs = 1_000;

/** Topic in Kafka: one forwarder for each partition. A record's key chooses it, as in Kafka clients. */
export class KafkaTopic {
  readonly #options: KafkaTopicOptions;
  readonly #partitionOf = createPartitioner('java');
  readonly #partitions: PartitionForwarder[] = [];
  #countedAtMs = Number.NEGATIVE_INFINITY;
  #counting: Promise<void> | undefined;

  constructor(options: KafkaTopicOptions) {
    this.#options = options;
  }

  /**
   * Publishes records. Resolves when Kafka has acknowledged all of them, those of one key in the
   * given order, or when the signal is aborted. Never rejects.
   */
  async append(records: readonly StoredRecord[], signal: AbortSignal): Promise<void> {
    await this.#ensurePartitions(signal);
    if (signal.aborted) return;
    const count = this.#partitions.length;
    const byPartition = Map.groupBy(records, ({ key }) => this.#partitionOf(key, count));
    await Promise.all(
      [...byPartition].map(([partition, own]) => this.#partitions[partition]?.append(own, signal)),
    );
  }

  async #ensurePartitions(signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#countedAtMs < partitionsMaxAgeMs) return;
    while (!signal.aborted) {
      this.#counting ??= this.#countPartitions().finally(() => {
        this.#counting = undefined;
      });
      await this.#counting;
      // If the count fails, the partitions known from before still serve.
      if (this.#partitions.length > 0) return;
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #countPartitions(): Promise<void> {
    const { driver, topic, observer } = this.#options;
    try {
      const count = await driver.partitionCount(topic);
      this.#countedAtMs = performance.now();
      while (this.#partitions.length < count) {
        const partition = this.#partitions.length;
        this.#partitions.push(new PartitionForwarder({ ...this.#options, partition }));
      }
    } catch (error) {
      observer.failed(topic, toRelayError(error));
    }
  }
}

import type { PlatformError } from '@posthaste/contracts';
import { isWorthRetrying, PartitionBatcher, toWriteFailure } from './partition-batcher.js';
import { createPartitioner, type Partitioner } from './partitioner.js';
import type { PendingRecord } from './pending-record.js';
import type { PublisherContext } from './publisher-context.js';

/**
 * The batchers of one topic, one per partition. Records wait here until the number of partitions is
 * known. It is asked for again from time to time, because partitions may be added.
 */
export class TopicBatchers {
  readonly #topic: string;
  readonly #context: PublisherContext;
  readonly #partitionOf: Partitioner;
  /** By partition. */
  readonly #batchers: PartitionBatcher[] = [];
  /** Records that wait for the number of partitions. */
  #unrouted: PendingRecord[] = [];
  #refreshAtMs = 0;
  #refreshing = false;

  constructor(topic: string, context: PublisherContext) {
    this.#topic = topic;
    this.#context = context;
    this.#partitionOf = createPartitioner(context.settings.partitioner);
  }

  add(record: PendingRecord): void {
    if (record.acceptedAtMs >= this.#refreshAtMs && !this.#refreshing) void this.#refresh();
    if (this.#batchers.length === 0) this.#unrouted.push(record);
    else this.#route(record);
  }

  /** Gives up every record that is not settled. */
  abandon(reason: PlatformError): void {
    for (const record of this.#unrouted.splice(0)) record.giveUp(reason);
    for (const batcher of this.#batchers) batcher.abandon(reason);
  }

  #route(record: PendingRecord): void {
    const partition = this.#partitionOf(record.options.record.key, this.#batchers.length);
    this.#batchers[partition]?.add(record);
  }

  /** Asks for the number of partitions, again and again as long as records wait for it. */
  async #refresh(): Promise<void> {
    const { driver, settings, now, backoff } = this.#context;
    this.#refreshing = true;
    let failures = 0;
    do {
      if (failures > 0) await backoff(failures);
      try {
        this.#setPartitions(await driver.partitionCount(this.#topic));
      } catch (error) {
        failures += 1;
        this.#afterFailure(toWriteFailure(error));
      }
    } while (this.#unrouted.length > 0);
    // A failed refresh loses nothing: the partitions known so far are still used.
    this.#refreshAtMs = this.#batchers.length === 0 ? 0 : now() + settings.metadataMaxAgeMs;
    this.#refreshing = false;
  }

  #setPartitions(count: number): void {
    while (this.#batchers.length < count) {
      this.#batchers.push(new PartitionBatcher(this.#topic, this.#batchers.length, this.#context));
    }
    const unrouted = this.#unrouted;
    this.#unrouted = [];
    for (const record of unrouted) if (!record.settled) this.#route(record);
  }

  #afterFailure(failure: PlatformError): void {
    const { settings, now } = this.#context;
    const nowMs = now();
    const retry = isWorthRetrying(failure);
    for (const record of this.#unrouted) {
      record.countFailure(false);
      if (!retry) record.fail(failure);
      else if (record.isExpired(nowMs, settings.minTries)) record.giveUp(failure);
    }
    this.#unrouted = this.#unrouted.filter(({ settled }) => !settled);
  }
}

import type { PlatformError } from '@posthaste/contracts';
import { PartitionBatcher } from './partition-batcher.js';
import { createPartitioner, type Partitioner } from './partitioner.js';
import type { PendingRecord } from './pending-record.js';
import type { PublisherContext } from './publisher-context.js';
import { isWorthRetrying, toWriteFailure } from './write-failure.js';

/**
 * The lanes of one topic. Records wait here until the number of its partitions is known; it is
 * asked again from time to time, since partitions may be added.
 */
export class TopicBatchers {
  readonly #topic: string;
  readonly #context: PublisherContext;
  readonly #partitionOf: Partitioner;
  readonly #lanes: PartitionBatcher[] = [];
  #unrouted: PendingRecord[] = [];
  #refreshAtMs = 0;
  #asking = false;

  constructor(topic: string, context: PublisherContext) {
    this.#topic = topic;
    this.#context = context;
    this.#partitionOf = createPartitioner(context.settings.partitioner);
  }

  add(record: PendingRecord): void {
    if (record.acceptedAtMs >= this.#refreshAtMs && !this.#asking) void this.#ask();
    if (this.#lanes.length === 0) this.#unrouted.push(record);
    else this.#route(record);
  }

  /** Gives up everything that is not settled. */
  abandon(reason: PlatformError): void {
    for (const record of this.#unrouted.splice(0)) record.giveUp(reason);
    for (const lane of this.#lanes) lane.abandon(reason);
  }

  #route(record: PendingRecord): void {
    const partition = this.#partitionOf(record.options.record.key, this.#lanes.length);
    this.#lanes[partition]?.add(record);
  }

  async #ask(): Promise<void> {
    const { driver, settings, now, backoff } = this.#context;
    this.#asking = true;
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
    // Of a refresh that failed nothing is lost: the partitions known so far still serve.
    this.#refreshAtMs = this.#lanes.length === 0 ? 0 : now() + settings.metadataMaxAgeMs;
    this.#asking = false;
  }

  #setPartitions(count: number): void {
    while (this.#lanes.length < count) {
      this.#lanes.push(new PartitionBatcher(this.#topic, this.#lanes.length, this.#context));
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

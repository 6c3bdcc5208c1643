import type { SubscriptionHandler } from '../../driver.js';
import type { PartitionLog } from './partition-log.js';

export interface PartitionReaderOptions {
  readonly partition: number;
  readonly log: PartitionLog;
  /** Offset of the first record to hand over. */
  readonly from: bigint;
  /** Most records in one call of the handler. */
  readonly batchSize: number;
  readonly handler: SubscriptionHandler;
  /** False while the stream is stopped: nothing is handed over. */
  readonly isAvailable: () => boolean;
}

/**
 * Hands the records of one partition to the handler for as long as one assignment lasts: one call
 * at a time, the next when the handler asks for more.
 */
export class PartitionReader {
  readonly #options: PartitionReaderOptions;
  readonly #unwatch: () => void;
  #position: bigint;
  #busy = false;
  #stopped = false;

  constructor(options: PartitionReaderOptions) {
    this.#options = options;
    this.#position = options.from;
    this.#unwatch = options.log.watch(() => this.#wake());
    this.#wake();
  }

  /** From now on nothing is handed over. */
  stop(): void {
    this.#stopped = true;
    this.#unwatch();
  }

  #wake(): void {
    if (this.#busy || this.#stopped) return;
    this.#busy = true;
    // Not at once: an appender must not run the handler of a consumer.
    void Promise.resolve().then(() => this.#handOver());
  }

  async #handOver(): Promise<void> {
    const { log, partition, batchSize, handler, isAvailable } = this.#options;
    while (!this.#stopped && isAvailable()) {
      const records = log.read(this.#position, batchSize);
      if (records.length === 0) break;
      this.#position += BigInt(records.length);
      await handler.records(partition, records);
    }
    this.#busy = false;
  }
}

import type { SubscriptionHandler } from '../../driver.js';
import type { PartitionLog } from './partition-log.js';

/** Options of a partition reader. */
export interface PartitionReaderOptions {
  readonly partition: number;
  readonly log: PartitionLog;
  /** Offset of the first record to deliver. */
  readonly from: bigint;
  /** Most records in one call of the handler. */
  readonly batchSize: number;
  readonly handler: SubscriptionHandler;
  /** False while the stream is stopped: no records are delivered. */
  readonly isAvailable: () => boolean;
}

/**
 * Delivers the records of one partition to the handler during one assignment: one call at a time,
 * the next one when the handler accepts more.
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
    this.#unwatch = options.log.watch(() => this.#deliverSoon());
    this.#deliverSoon();
  }

  /** Delivers no more records. */
  stop(): void {
    this.#stopped = true;
    this.#unwatch();
  }

  #deliverSoon(): void {
    if (this.#busy || this.#stopped) return;
    this.#busy = true;
    // Not at once: the call of an appender must not run a consumer's handler.
    void Promise.resolve().then(() => this.#deliver());
  }

  async #deliver(): Promise<void> {
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

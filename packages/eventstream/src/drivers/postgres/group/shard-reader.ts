import type { Queryable } from '@posthaste/postgres';
import type { StoredRecord } from '../../../record.js';
import { type RangeRead, readRange, type ShardName } from '../read/read-store.js';
import type { ShardAssignment } from './member-store.js';

export interface ShardReaderOptions {
  readonly db: Queryable;
  readonly name: ShardName;
  readonly owned: ShardAssignment;
  readonly batchSize: number;
  readonly maxBatchBytes: number;
  /** Resolves when more may come. */
  readonly deliver: (records: readonly StoredRecord[]) => Promise<void>;
  /** Records from one offset up to another were dropped by age before they were read. */
  readonly onSkipped: (from: bigint, to: bigint) => void;
  /** Delivered all up to the end that it knew of. */
  readonly onDrained: () => void;
  /** A read failed; it is tried again when the reader is next told of an end. */
  readonly onError: (error: unknown) => void;
}

/** Reads one shard for as long as one assignment lasts, a batch ahead of the one being handled. */
export class ShardReader {
  readonly name: ShardName;
  readonly epoch: bigint;
  readonly #options: ShardReaderOptions;
  #position: bigint;
  #end: bigint;
  #running = false;
  #stopped = false;

  constructor(options: ShardReaderOptions) {
    this.#options = options;
    this.name = options.name;
    this.epoch = options.owned.epoch;
    this.#position = options.owned.offset;
    this.#end = this.#position;
  }

  /** All below `end` may be read by now. */
  readTo(end: bigint): void {
    if (end > this.#end) this.#end = end;
    if (this.#running || this.#stopped || this.#position >= this.#end) return;
    this.#running = true;
    void this.#run();
  }

  /** From now on nothing is delivered. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    try {
      let ahead: Promise<RangeRead> | undefined = this.#read(this.#position);
      while (ahead && !this.#stopped) {
        const { records, next, first }: RangeRead = await ahead;
        if (this.#stopped) break;
        if (first > this.#position) this.#options.onSkipped(this.#position, first);
        ahead = next < this.#end ? this.#read(next) : undefined;
        // Looked at later; a failure before that is not one that nobody minds.
        ahead?.catch(() => undefined);
        if (records.length > 0) await this.#options.deliver(records);
        this.#position = next;
        if (!ahead && next < this.#end) ahead = this.#read(next);
      }
      this.#running = false;
      if (!this.#stopped) this.#options.onDrained();
    } catch (error) {
      this.#running = false;
      if (!this.#stopped) this.#options.onError(error);
    }
  }

  #read(from: bigint): Promise<RangeRead> {
    const { db, name, batchSize, maxBatchBytes } = this.#options;
    const range = { from, end: this.#end, limit: batchSize, maxBytes: maxBatchBytes };
    return readRange(db, name, range);
  }
}

import type { Queryable } from '@posthaste/postgres';
import type { StoredRecord } from '../../../record.js';
import { type RangeRead, readRange, type ShardName } from '../read/read-store.js';
import type { ShardAssignment } from './member-store.js';

/** Records that were dropped by age before a group had read them: offsets `from` up to `to`. */
export interface SkippedRange {
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
  readonly from: bigint;
  /** Offset at which reading continues. */
  readonly to: bigint;
}

/** Options of a shard reader. */
export interface ShardReaderOptions {
  readonly db: Queryable;
  readonly name: ShardName;
  readonly assignment: ShardAssignment;
  readonly batchSize: number;
  readonly maxBatchBytes: number;
  /** Delivers records. Resolves when more may be delivered. */
  readonly deliver: (records: readonly StoredRecord[]) => Promise<void>;
  /** Records from one offset up to another were dropped by age before they were read. */
  readonly onSkipped: (from: bigint, to: bigint) => void;
  /** All records up to the known end were delivered. */
  readonly onDrained: () => void;
  /** A read failed. It is tried again at the next call of `readTo`. */
  readonly onError: (error: unknown) => void;
}

/** Reads one shard during one assignment, a batch ahead of the one that is being handled. */
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
    this.epoch = options.assignment.epoch;
    this.#position = options.assignment.offset;
    this.#end = this.#position;
  }

  /** Reads up to `end`, below which all records are readable. */
  readTo(end: bigint): void {
    if (end > this.#end) this.#end = end;
    if (this.#running || this.#stopped || this.#position >= this.#end) return;
    this.#running = true;
    void this.#run();
  }

  /** Delivers no more records. */
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
        // Awaited later: an earlier failure must not count as an unhandled rejection.
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

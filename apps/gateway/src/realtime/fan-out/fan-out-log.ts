import type {
  PartitionPage,
  PartitionQuery,
  PostgresLog,
  StoredRecord,
} from '@posthaste/eventstream';

/** Part of the event log that a tail reads. */
export type TailedLog = Pick<PostgresLog, 'readPartition' | 'watch'>;

/** Options of a `FanOutLog`. */
export interface FanOutLogOptions {
  readonly log: TailedLog;
  /** Longest time between two reads of the log, in ms. Default 5,000. */
  readonly readMs?: number | undefined;
}

/** Time in which missing offsets may arrive before the log is read, in ms. */
const overtakingMs = 50;
/** Records that are kept until those below them have arrived. */
const maxKept = 10_000;
const maxKeptBytes = 16 * 1_048_576;

/**
 * One partition of the event log, of which most records arrive before they are read. A record that
 * follows the last one that was read is returned without a query: it is committed, and all below it
 * were read. Otherwise the log is read: when offsets are missing, at hints, and now and then.
 */
export class FanOutLog implements TailedLog {
  readonly #options: FanOutLogOptions;
  readonly #kept = new Map<bigint, StoredRecord>();
  #keptBytes = 0;
  /** Offset of the next record that the reader needs. */
  #next = 0n;
  #onAppend: (() => void) | undefined;
  #isConnected = false;
  #mustRead = true;
  #readAt = 0;
  #missingSince: number | undefined;

  constructor(options: FanOutLogOptions) {
    this.#options = options;
  }

  /** Sets if records arrive. While they do not, the log is read at each call. */
  set isConnected(isConnected: boolean) {
    this.#isConnected = isConnected;
    // What was sent before is in the log only.
    this.readSoon();
  }

  /** Has the log read: there is a record in it that does not arrive. */
  readSoon(): void {
    this.#mustRead = true;
    this.#onAppend?.();
  }

  /** Adds records that were committed at their offsets. */
  add(records: readonly StoredRecord[]): void {
    let isNew = false;
    for (const record of records) {
      const bytes = bytesOf(record);
      // Each comes back to the gateway that has appended it.
      if (record.offset < this.#next || this.#kept.has(record.offset)) continue;
      isNew = true;
      if (this.#kept.size >= maxKept || this.#keptBytes + bytes > maxKeptBytes) {
        this.#mustRead = true;
        break;
      }
      this.#kept.set(record.offset, record);
      this.#keptBytes += bytes;
    }
    if (isNew) this.#onAppend?.();
  }

  watch(topic: string, onAppend: () => void): () => void {
    this.#onAppend = onAppend;
    const unwatch = this.#options.log.watch(topic, () => this.readSoon());
    return () => {
      this.#onAppend = undefined;
      unwatch();
    };
  }

  async readPartition(query: PartitionQuery): Promise<PartitionPage> {
    const { from } = query;
    const records = this.#takeFrom(query);
    const next = from + BigInt(records.length);
    this.#next = next;
    if (records.length > 0) {
      this.#missingSince = undefined;
      const readable = this.#kept.has(next) ? next + 1n : next;
      return { records, next, readable, first: 0n, isGrowing: this.#kept.size > 0 };
    }
    const now = performance.now();
    if (this.#kept.size > 0) this.#missingSince ??= now;
    if (!this.#isDue(now)) {
      return { records, next, readable: next, first: 0n, isGrowing: this.#kept.size > 0 };
    }
    this.#mustRead = false;
    this.#missingSince = undefined;
    const page = await this.#options.log.readPartition(query).catch((error: unknown) => {
      this.#mustRead = true;
      throw error;
    });
    this.#readAt = now;
    this.#next = page.next;
    this.#forgetBelow(page.next);
    if (page.next < page.readable) this.#mustRead = true;
    return page;
  }

  #isDue(now: number): boolean {
    const { readMs = 5_000 } = this.#options;
    if (!this.#isConnected || this.#mustRead || now - this.#readAt >= readMs) return true;
    return this.#missingSince !== undefined && now - this.#missingSince >= overtakingMs;
  }

  /** Removes and returns the records that follow one another from an offset on. */
  #takeFrom({ from, limit, maxBytes }: PartitionQuery): StoredRecord[] {
    this.#forgetBelow(from);
    const records: StoredRecord[] = [];
    let bytes = 0;
    while (records.length < limit && bytes < maxBytes) {
      const record = this.#kept.get(from + BigInt(records.length));
      if (record === undefined) break;
      this.#forget(record);
      bytes += bytesOf(record);
      records.push(record);
    }
    return records;
  }

  #forgetBelow(offset: bigint): void {
    for (const record of this.#kept.values()) if (record.offset < offset) this.#forget(record);
  }

  #forget(record: StoredRecord): void {
    this.#kept.delete(record.offset);
    this.#keptBytes -= bytesOf(record);
  }
}

function bytesOf({ key, value }: StoredRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

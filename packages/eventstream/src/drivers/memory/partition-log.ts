import type { OutgoingRecord, StoredRecord } from '../../record.js';
import { toHeaderTexts, toRawHeaders } from '../../record-headers.js';

/**
 * The records of one partition. They are appended at the end, read from any offset, never dropped.
 */
export class PartitionLog {
  readonly #records: StoredRecord[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #topic: string;
  readonly #partition: number;

  constructor(topic: string, partition: number) {
    this.#topic = topic;
    this.#partition = partition;
  }

  /** Offset that the next record will get. */
  get end(): bigint {
    return BigInt(this.#records.length);
  }

  append(records: readonly OutgoingRecord[], timestampMs: number): void {
    for (const record of records) {
      const { key, value } = record;
      const rawHeaders = record.rawHeaders && toRawHeaders(record.rawHeaders);
      this.#records.push({
        topic: this.#topic,
        partition: this.#partition,
        offset: this.end,
        key,
        value,
        headers: record.rawHeaders ? toHeaderTexts(record.rawHeaders) : record.headers,
        ...(rawHeaders ? { rawHeaders } : {}),
        timestampMs,
      });
    }
    this.notifyWatchers();
  }

  /** Returns up to `limit` records from `offset` on. */
  read(offset: bigint, limit: number): readonly StoredRecord[] {
    const from = Number(offset);
    return this.#records.slice(from, from + limit);
  }

  /** Calls `onAppend` whenever there may be more to read. Returns the function that ends it. */
  watch(onAppend: () => void): () => void {
    this.#watchers.add(onAppend);
    return () => this.#watchers.delete(onAppend);
  }

  notifyWatchers(): void {
    for (const onAppend of this.#watchers) onAppend();
  }
}

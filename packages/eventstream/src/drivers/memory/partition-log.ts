import type { OutgoingRecord, StoredRecord } from '../../record.js';

/** The records of one partition: appended at the end, read from any offset, never dropped. */
export class PartitionLog {
  readonly #records: StoredRecord[] = [];
  readonly #readers = new Set<() => void>();
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
    for (const { key, value, headers } of records) {
      this.#records.push({
        topic: this.#topic,
        partition: this.#partition,
        offset: this.end,
        key,
        value,
        headers,
        timestampMs,
      });
    }
    this.notifyReaders();
  }

  /** Up to `limit` records from `offset` on. */
  read(offset: bigint, limit: number): readonly StoredRecord[] {
    const from = Number(offset);
    return this.#records.slice(from, from + limit);
  }

  /** Calls `wake` whenever there may be more to read; returns what ends that. */
  watch(wake: () => void): () => void {
    this.#readers.add(wake);
    return () => this.#readers.delete(wake);
  }

  notifyReaders(): void {
    for (const wake of this.#readers) wake();
  }
}

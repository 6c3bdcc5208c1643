import type { PendingRecord } from './pending-record.js';

/** Records of one partition that are written together, in order. */
export class Batch {
  #records: PendingRecord[] = [];
  #bytes = 0;

  get records(): readonly PendingRecord[] {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Moment at which the first record was accepted. */
  get acceptedAtMs(): number {
    return this.#records[0]?.acceptedAtMs ?? 0;
  }

  add(record: PendingRecord): void {
    this.#records.push(record);
    this.#bytes += record.bytes;
  }

  /** Removes and returns all records. */
  drain(): readonly PendingRecord[] {
    const records = this.#records;
    this.#replace([]);
    return records;
  }

  /** Removes records that are settled: withdrawn or given up. */
  dropSettled(): void {
    if (!this.#records.some(({ settled }) => settled)) return;
    this.#replace(this.#records.filter(({ settled }) => !settled));
  }

  /** Keeps the first half and returns the second. */
  split(): Batch {
    const second = new Batch();
    const half = Math.ceil(this.#records.length / 2);
    second.#replace(this.#records.slice(half));
    this.#replace(this.#records.slice(0, half));
    return second;
  }

  #replace(records: PendingRecord[]): void {
    this.#records = records;
    this.#bytes = records.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

import type { StoredRecord } from '../../../record.js';
import { WireReader } from '../wire/wire-reader.js';

/** What the records of one batch share. */
export interface FetchedBatchInfo {
  readonly topic: string;
  readonly partition: number;
  /** Marks of transactions, not records. */
  readonly isControl: boolean;
  readonly inTransaction: boolean;
  /** Who wrote it, in decimal, as kafkajs has it. */
  readonly producerId: string;
}

/**
 * A record among the bytes of a fetch. What few look at is read when somebody does: headers, and the
 * key. kafkajs takes it for a message of its own: it sorts out marks and aborted transactions by
 * `isControlRecord` and `batchContext`.
 */
export class FetchedRecord implements StoredRecord {
  readonly batchContext: FetchedBatchInfo;
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly value: Buffer | null;
  readonly #bytes: Buffer;
  readonly #keyAt: number;
  readonly #headersAt: number;

  /** @param reader - stands before the key, and is left behind the value */
  constructor(
    batchContext: FetchedBatchInfo,
    offset: bigint,
    timestampMs: number,
    reader: WireReader,
  ) {
    this.batchContext = batchContext;
    this.offset = offset;
    this.timestampMs = timestampMs;
    this.#bytes = reader.bytes;
    this.#keyAt = reader.at;
    reader.skip(Math.max(0, reader.varint()));
    this.value = reader.varbytes();
    this.#headersAt = reader.at;
  }

  get topic(): string {
    return this.batchContext.topic;
  }

  get partition(): number {
    return this.batchContext.partition;
  }

  get isControlRecord(): boolean {
    return this.batchContext.isControl;
  }

  get key(): Buffer | null {
    return this.#readerAt(this.#keyAt).varbytes();
  }

  get headers(): Readonly<Record<string, string>> {
    const reader = this.#readerAt(this.#headersAt);
    const headers: Record<string, string> = {};
    for (let count = reader.varint(); count > 0; count -= 1) {
      const name = reader.varbytes();
      const value = reader.varbytes();
      if (name !== null && value !== null) headers[name.toString()] = value.toString();
    }
    return headers;
  }

  #readerAt(at: number): WireReader {
    const reader = new WireReader(this.#bytes);
    reader.at = at;
    return reader;
  }
}

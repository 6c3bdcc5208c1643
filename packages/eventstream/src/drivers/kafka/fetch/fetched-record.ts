import type { RecordHeader, StoredRecord } from '../../../record.js';
import { toHeaderTexts, toRawHeaders } from '../../../record-headers.js';
import { WireReader } from '../wire/wire-reader.js';

/** Place of a batch, or of a message of an older format, in the log. */
export interface LogEntry {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the batch's first record, or of the message. */
  readonly offset: bigint;
}

/** A record as the consumer of kafkajs needs it. */
export interface FetchedMessage extends StoredRecord {
  /**
   * True for a record that kafkajs must drop: the end of a transaction, or a record of an aborted
   * one. kafkajs goes on reading behind them, as it would not if they were left out of a fetch.
   */
  readonly isControlRecord: boolean;
}

/** Fields of a batch's header that its records share. */
export interface FetchedBatch extends LogEntry {
  /** True if no handler may see the records. Known when the batch is decoded. */
  readonly isHidden: boolean;
  readonly baseTimestampMs: number;
  /** Time at which the broker appended the batch, where the topic is set to keep that. */
  readonly appendTimeMs: number | undefined;
}

/**
 * A record that reads its key and headers from the bytes of the fetch only when somebody asks for
 * them: few handlers do.
 */
export class FetchedRecord implements FetchedMessage {
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly value: Buffer | null;
  readonly #batch: FetchedBatch;
  readonly #bytes: Buffer;
  readonly #keyPosition: number;
  readonly #headersPosition: number;

  /**
   * Record => attributes: int8, timestampDelta: varlong, offsetDelta: varint,
   *   keyLength: varint, key, valueLength: varint, value, headersCount: varint, [Header]
   *   Header => keyLength: varint, key: UTF-8, valueLength: varint, value
   *
   * @param reader at the attributes; it is left behind the value
   */
  constructor(batch: FetchedBatch, reader: WireReader) {
    this.#batch = batch;
    this.#bytes = reader.bytes;
    reader.int8(); // attributes: none are defined
    const createdMs = batch.baseTimestampMs + reader.varlong();
    this.timestampMs = batch.appendTimeMs ?? createdMs;
    this.offset = batch.offset + BigInt(reader.varint());
    this.#keyPosition = reader.position;
    reader.skip(Math.max(0, reader.varint()));
    this.value = reader.varbytes();
    this.#headersPosition = reader.position;
  }

  get topic(): string {
    return this.#batch.topic;
  }

  get partition(): number {
    return this.#batch.partition;
  }

  get isControlRecord(): boolean {
    return this.#batch.isHidden;
  }

  get key(): Buffer | null {
    return this.#readerAt(this.#keyPosition).varbytes();
  }

  get headers(): Readonly<Record<string, string>> {
    return toHeaderTexts(this.#readHeaders());
  }

  get rawHeaders(): readonly RecordHeader[] | undefined {
    return toRawHeaders(this.#readHeaders());
  }

  findsHeader(name: string, text?: string): boolean {
    const reader = this.#readerAt(this.#headersPosition);
    for (let count = reader.varint(); count > 0; count -= 1) {
      const isNamed = reader.varbytesAreAscii(name);
      const isFound =
        isNamed && text !== undefined ? reader.varbytesAre(text) : reader.skipVarbytes();
      if (isNamed && isFound) return true;
    }
    return false;
  }

  #readHeaders(): RecordHeader[] {
    const reader = this.#readerAt(this.#headersPosition);
    const headers: RecordHeader[] = [];
    for (let count = reader.varint(); count > 0; count -= 1) {
      const name = reader.varbytes();
      const value = reader.varbytes();
      if (name !== null) headers.push({ name: name.toString(), value });
    }
    return headers;
  }

  #readerAt(position: number): WireReader {
    const reader = new WireReader(this.#bytes);
    reader.position = position;
    return reader;
  }
}

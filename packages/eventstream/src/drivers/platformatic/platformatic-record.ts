import type { RecordsBatch } from '@platformatic/kafka';
import type { StoredRecord } from '../../record.js';

/** Bit of a batch's attributes: it holds marks of transactions, and no records. */
const controlBit = 0x20;
/** Bit of a batch's attributes: the brokers gave it the time that counts. */
const appendTimeBit = 0x08;

type BatchRecord = RecordsBatch['records'][number];

/** A record of the library as ours. Headers are made texts when somebody looks. */
class PlatformaticRecord implements StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestampMs: number;
  readonly #headers: BatchRecord['headers'];

  constructor(topic: string, partition: number, batch: RecordsBatch, record: BatchRecord) {
    this.topic = topic;
    this.partition = partition;
    this.offset = batch.firstOffset + BigInt(record.offsetDelta);
    this.key = record.key;
    this.value = record.value;
    this.timestampMs = Number(
      batch.attributes & appendTimeBit
        ? batch.maxTimestamp
        : batch.firstTimestamp + record.timestampDelta,
    );
    this.#headers = record.headers;
  }

  get headers(): Readonly<Record<string, string>> {
    const texts: Record<string, string> = {};
    for (const [name, value] of this.#headers) {
      if (name !== null && value !== null) texts[name.toString()] = value.toString();
    }
    return texts;
  }
}

/** The records from `position` on; a fetch brings whole batches, so that earlier ones can come along. */
export function toRecords(
  topic: string,
  partition: number,
  batches: readonly RecordsBatch[],
  position: bigint,
): StoredRecord[] {
  return batches
    .filter(({ attributes }) => (attributes & controlBit) === 0)
    .flatMap((batch) =>
      batch.records.map((record) => new PlatformaticRecord(topic, partition, batch, record)),
    )
    .filter(({ offset }) => offset >= position);
}

/** Where reading goes on after the batches; undefined when there are none. */
export function positionAfter(batches: readonly RecordsBatch[]): bigint | undefined {
  const last = batches.at(-1);
  return last && last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
}

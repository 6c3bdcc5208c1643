import type { RecordsBatch } from '@platformatic/kafka';
import type { RecordHeader, StoredRecord } from '../../record.js';
import { toHeaderTexts, toRawHeaders } from '../../record-headers.js';
import {
  type AbortedTransaction,
  AbortedTransactions,
} from '../kafka/fetch/aborted-transactions.js';
import { matchText } from '../kafka/wire/wire-reader.js';

/** Bit of a batch's attributes: the records have the time at which the broker appended them. */
const appendTimeBit = 0x08;

type BatchRecord = RecordsBatch['records'][number];

/** Batches of one partition in a Fetch response. */
export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly batches: readonly RecordsBatch[];
  readonly abortedTransactions: readonly AbortedTransaction[];
}

/** Fields that the records of one batch share. */
interface BatchContext {
  readonly topic: string;
  readonly partition: number;
  readonly batch: RecordsBatch;
}

/** A record of the library as a `StoredRecord`. Headers become texts when somebody reads them. */
class PlatformaticRecord implements StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestampMs: number;
  readonly #headers: BatchRecord['headers'];

  constructor({ topic, partition, batch }: BatchContext, record: BatchRecord) {
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
    return toHeaderTexts(this.#readHeaders());
  }

  get rawHeaders(): readonly RecordHeader[] | undefined {
    return toRawHeaders(this.#readHeaders());
  }

  findsHeader(name: string, text?: string): boolean {
    for (const [key, value] of this.#headers) {
      if (key === null || value === null || key.length !== name.length) continue;
      if (matchText(key, 0, name) !== key.length) continue;
      if (text === undefined || matchText(value, 0, text) === value.length) return true;
    }
    return false;
  }

  #readHeaders(): RecordHeader[] {
    return this.#headers.flatMap(([name, value]) =>
      name === null ? [] : [{ name: name.toString(), value }],
    );
  }
}

/**
 * Returns the records from `position` on, without those of aborted transactions. A fetch brings
 * whole batches, so earlier records can come along.
 */
export function toRecords(fetched: FetchedPartition, position: bigint): StoredRecord[] {
  const { topic, partition } = fetched;
  const records: StoredRecord[] = [];
  for (const batch of committedBatches(fetched)) {
    const context = { topic, partition, batch };
    for (const each of batch.records) {
      const record = new PlatformaticRecord(context, each);
      if (record.offset >= position) records.push(record);
    }
  }
  return records;
}

/** Returns the batches without control records and without those of aborted transactions. */
function committedBatches({ batches, abortedTransactions }: FetchedPartition): RecordsBatch[] {
  const aborted = new AbortedTransactions(abortedTransactions);
  return batches.filter((batch) => {
    const { attributes, producerId, records } = batch;
    return !aborted.hides({ attributes, producerId, lastOffset: lastOffsetOf(batch), records });
  });
}

/** Returns the offset at which reading goes on after the batches; undefined if there are none. */
export function positionAfter(batches: readonly RecordsBatch[]): bigint | undefined {
  const last = batches.at(-1);
  return last && lastOffsetOf(last) + 1n;
}

function lastOffsetOf({ firstOffset, lastOffsetDelta }: RecordsBatch): bigint {
  return firstOffset + BigInt(lastOffsetDelta);
}

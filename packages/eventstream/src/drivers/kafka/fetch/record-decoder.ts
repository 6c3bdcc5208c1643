/**
 * Batches of records as brokers send them (record-batch.ts is the other way). kafkajs makes objects
 * and texts of every field of every record, which took as long as parsing the events.
 */

import kafkajs from 'kafkajs';
import { WireReader } from '../wire/wire-reader.js';
import { type FetchedBatchInfo, FetchedRecord } from './fetched-record.js';

/** Up to the format's version, which is at the same place in all formats. */
const versionAt = 16;
const version = 2;
const checksumBytes = 4;
const codecBits = 0x07;
const appendTimeBit = 0x08;
const transactionBit = 0x10;
const controlBit = 0x20;

interface Codec {
  decompress(records: Buffer): Promise<Buffer>;
}

/** Whether all of it is in the format of Kafka 0.11 and newer. */
export function isReadable(batches: Buffer): boolean {
  return batches.length <= versionAt || batches[versionAt] === version;
}

/**
 * Every record in the bytes of one partition, marks of transactions among them. A batch at the end
 * that is not whole is left out: the next fetch brings it.
 * @throws Error for bytes that are no batches
 */
export async function readBatches(
  topic: string,
  partition: number,
  bytes: Buffer,
): Promise<FetchedRecord[]> {
  const records: FetchedRecord[] = [];
  const reader = new WireReader(bytes);
  while (reader.left > versionAt) {
    const firstOffset = reader.int64();
    const length = reader.int32();
    if (length > reader.left) break;
    const end = reader.at + length;
    const batch = new WireReader(bytes.subarray(reader.at, end));
    await readBatch({ topic, partition }, firstOffset, batch, records);
    reader.at = end;
  }
  return records;
}

async function readBatch(
  place: Pick<FetchedBatchInfo, 'topic' | 'partition'>,
  firstOffset: bigint,
  batch: WireReader,
  records: FetchedRecord[],
): Promise<void> {
  batch.int32(); // epoch of the leader
  const format = batch.int8();
  if (format !== version) throw new Error(`a batch of records in format ${format}`);
  batch.skip(checksumBytes);
  const attributes = batch.int16();
  batch.int32(); // last offset, from the first one on
  const firstTimestampMs = Number(batch.int64());
  const maxTimestampMs = Number(batch.int64());
  const info: FetchedBatchInfo = {
    ...place,
    producerId: String(batch.int64()),
    isControl: (attributes & controlBit) !== 0,
    inTransaction: (attributes & transactionBit) !== 0,
  };
  batch.int16(); // epoch of the producer
  batch.int32(); // sequence
  const count = batch.int32();
  const reader = await decompress(batch, attributes & codecBits);
  const hasAppendTime = (attributes & appendTimeBit) !== 0;
  for (let index = 0; index < count; index += 1) {
    const length = reader.varint();
    const end = reader.at + length;
    reader.int8(); // attributes: there are none
    const timestampMs = firstTimestampMs + reader.varlong();
    const offset = firstOffset + BigInt(reader.varint());
    records.push(
      new FetchedRecord(info, offset, hasAppendTime ? maxTimestampMs : timestampMs, reader),
    );
    reader.at = end;
  }
}

/** @throws Error of kafkajs for a codec that it does not have */
async function decompress(batch: WireReader, number: number): Promise<WireReader> {
  if (number === 0 || batch.left === 0) return batch;
  const codecs: Readonly<Record<number, () => Codec>> = kafkajs.CompressionCodecs;
  const codec = codecs[number]?.();
  if (!codec) throw new Error(`records are compressed with codec ${number}`);
  return new WireReader(await codec.decompress(batch.bytes.subarray(batch.at)));
}

/**
 * Decodes the records of a partition in a Fetch response (wire/record-batch.ts is the other
 * direction). This replaces the decoder of kafkajs, which makes objects and texts of every field of
 * every record: that took as long as parsing the events.
 */

import { codecMask, getCodecByNumber } from '../wire/codecs.js';
import { WireReader } from '../wire/wire-reader.js';
import type { AbortedTransactions } from './aborted-transactions.js';
import { type FetchedMessage, FetchedRecord, type LogEntry } from './fetched-record.js';
import { decodeMessage, isMessageFormat } from './message-set.js';

/** Offset of the format's version ("magic") in an entry of the log: the same in all formats. */
const magicOffset = 16;
const batchFormat = 2;
const checksumBytes = 4;
const appendTimeBit = 0x08;

/** Bytes of one partition in a Fetch response. */
export interface PartitionBytes {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
  readonly aborted: AbortedTransactions;
}

/**
 * Returns every record, also those that kafkajs must drop. An entry at the end that is not complete is
 * left out: the next fetch brings it.
 *
 * Records => [baseOffset: int64, length: int32, (4 bytes), magic: int8, …], where the bytes after
 *   `length` are a RecordBatch (magic 2) or a Message (magic 0 and 1, message-set.ts)
 *
 * @throws Error for bytes in no known format
 */
export async function decodeRecords({
  topic,
  partition,
  bytes,
  aborted,
}: PartitionBytes): Promise<FetchedMessage[]> {
  const records: FetchedMessage[] = [];
  const reader = new WireReader(bytes);
  while (reader.remaining > magicOffset) {
    const magic = bytes.readInt8(reader.position + magicOffset);
    const offset = reader.int64();
    const length = reader.int32();
    if (length > reader.remaining) break;
    const end = reader.position + length;
    const entry = new WireReader(bytes.subarray(reader.position, end));
    const place = { topic, partition, offset };
    const decoded =
      magic === batchFormat
        ? await decodeBatch(place, entry, aborted)
        : await decodeOldEntry(magic, place, entry);
    for (const record of decoded) records.push(record);
    reader.position = end;
  }
  return records;
}

async function decodeOldEntry(
  magic: number,
  place: LogEntry,
  reader: WireReader,
): Promise<readonly FetchedMessage[]> {
  if (isMessageFormat(magic)) return decodeMessage(place, reader);
  throw new Error(`records of ${place.topic}/${place.partition} are in unknown format ${magic}`);
}

/**
 * RecordBatch, behind its length => partitionLeaderEpoch: int32, magic: int8, crc: uint32,
 *   attributes: int16, lastOffsetDelta: int32, baseTimestamp: int64, maxTimestamp: int64,
 *   producerId: int64, producerEpoch: int16, baseSequence: int32, recordsCount: int32,
 *   [length: varint, Record], compressed from here on as the attributes say
 */
async function decodeBatch(
  place: LogEntry,
  reader: WireReader,
  aborted: AbortedTransactions,
): Promise<FetchedRecord[]> {
  reader.int32(); // partitionLeaderEpoch
  reader.int8(); // magic
  reader.skip(checksumBytes); // crc: not checked, as kafkajs does not
  const attributes = reader.int16();
  const lastOffset = place.offset + BigInt(reader.int32());
  const baseTimestampMs = Number(reader.int64());
  const maxTimestampMs = Number(reader.int64());
  const batch = {
    ...place,
    isHidden: false,
    baseTimestampMs,
    appendTimeMs: (attributes & appendTimeBit) !== 0 ? maxTimestampMs : undefined,
  };
  const producerId = reader.int64();
  reader.int16(); // producerEpoch
  reader.int32(); // baseSequence
  const count = reader.int32();
  const plain = await decompress(reader, attributes & codecMask);
  const records: FetchedRecord[] = [];
  for (let index = 0; index < count; index += 1) {
    const length = plain.varint();
    const end = plain.position + length;
    records.push(new FetchedRecord(batch, plain));
    plain.position = end;
  }
  batch.isHidden = aborted.hides({ attributes, producerId, lastOffset, records });
  return records;
}

/** @throws Error for a codec that is not known */
async function decompress(reader: WireReader, codecNumber: number): Promise<WireReader> {
  if (codecNumber === 0 || reader.remaining === 0) return reader;
  const compressed = reader.bytes.subarray(reader.position);
  return new WireReader(await getCodecByNumber(codecNumber).decompress(compressed));
}

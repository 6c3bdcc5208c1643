/**
 * Batches of records as they go over the wire and lie in the log: version 2 of the format, that of
 * Kafka 0.11 and newer. kafkajs has an encoder too, with a buffer of its own for every record and
 * header: that took more time than all the rest of publishing an event.
 */

import { crc32c } from '@platformatic/wasm-utils';
import type { OutgoingRecord } from '../../../record.js';
import { sizeOfVarint, utf8Length, WireWriter } from './wire-writer.js';

const formatVersion = 2;
/** Up to the first record. */
const headerSize = 61;
/** The length of the batch does not count what precedes it, nor itself. */
const lengthAt = 8;
const lengthCountsFrom = 12;
const checksumAt = 17;
const checksummedFrom = 21;
const attributesAt = 21;
const noProducer = -1n;

/** A compression of Kafka: its number in a batch's attributes. */
export interface RecordCodec {
  readonly number: number;
  compress(records: Buffer): Promise<Buffer>;
}

/** A batch, not compressed. @param timestampMs that of every record, in ms since 1970 */
export function encodeRecordBatch(records: readonly OutgoingRecord[], timestampMs: number): Buffer {
  const sizes = records.map(sizeOfRecord);
  const size = sizes.reduce((sum, bytes) => sum + sizeOfVarint(bytes) + bytes, headerSize);
  const writer = new WireWriter(size);
  writeHeader(writer, records.length, BigInt(timestampMs));
  for (const [index, record] of records.entries()) {
    writer.varint(sizes[index] ?? 0);
    writeRecord(writer, record, index);
  }
  return seal(writer.bytes, 0);
}

/** The same batch with its records compressed. */
export async function compressRecordBatch(batch: Buffer, codec: RecordCodec): Promise<Buffer> {
  const compressed = await codec.compress(batch.subarray(headerSize));
  return seal(Buffer.concat([batch.subarray(0, headerSize), compressed]), codec.number);
}

function writeHeader(writer: WireWriter, count: number, timestampMs: bigint): void {
  writer.int64(0n); // offset of the first record: the broker's to say
  writer.int32(0); // length: see `seal`
  writer.int32(-1); // epoch of the leader: the broker's to say
  writer.int8(formatVersion);
  writer.uint32(0); // checksum: see `seal`
  writer.int16(0); // attributes: see `seal`
  writer.int32(count - 1); // last offset, from the first one on
  writer.int64(timestampMs);
  writer.int64(timestampMs); // the highest
  writer.int64(noProducer);
  writer.int16(-1); // epoch of the producer
  writer.int32(-1); // sequence
  writer.int32(count);
}

function seal(batch: Buffer, codecNumber: number): Buffer {
  batch.writeInt32BE(batch.length - lengthCountsFrom, lengthAt);
  batch.writeInt16BE(codecNumber, attributesAt);
  batch.writeUInt32BE(crc32c(batch.subarray(checksummedFrom)), checksumAt);
  return batch;
}

/** Without the length that precedes it. */
function sizeOfRecord({ key, value, headers }: OutgoingRecord, index: number): number {
  let size = 1 + 1 + sizeOfVarint(index) + sizeOfBytes(key) + sizeOfBytes(value);
  let count = 0;
  for (const name in headers) {
    count += 1;
    size += sizeOfText(name) + sizeOfText(headers[name] ?? '');
  }
  return size + sizeOfVarint(count);
}

function writeRecord(
  writer: WireWriter,
  { key, value, headers }: OutgoingRecord,
  index: number,
): void {
  writer.int8(0); // attributes: there are none
  writer.varint(0); // time since the first record's
  writer.varint(index);
  writeBytes(writer, key);
  writeBytes(writer, value);
  const names = Object.keys(headers);
  writer.varint(names.length);
  for (const name of names) {
    writeText(writer, name);
    writeText(writer, headers[name] ?? '');
  }
}

function sizeOfBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length;
}

function sizeOfText(text: string): number {
  const length = utf8Length(text);
  return sizeOfVarint(length) + length;
}

function writeBytes(writer: WireWriter, bytes: Buffer | null): void {
  writer.varint(bytes === null ? -1 : bytes.length);
  if (bytes !== null) writer.raw(bytes);
}

function writeText(writer: WireWriter, text: string): void {
  const length = utf8Length(text);
  writer.varint(length);
  writer.text(text, length);
}

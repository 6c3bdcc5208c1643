/**
 * Encodes record batches of format version 2 ("magic 2", Kafka 0.11 and newer): what a Produce
 * request carries and a broker stores. This replaces the encoder of kafkajs, which allocates a
 * buffer for every record and header; that took longer than all other steps of publishing an event.
 *
 * The files of this folder:
 *
 * - wire-writer.ts, wire-reader.ts: the primitive types of Kafka's protocol
 * - record-batch.ts: records to the bytes of a batch (fetch/record-decoder.ts is the other
 *   direction)
 * - codecs.ts: compression of the records in a batch
 */

import { crc32c } from '@platformatic/wasm-utils';
import type { OutgoingRecord } from '../../../record.js';
import type { RecordCodec } from './codecs.js';
import { sizeOfVarint, utf8Length, WireWriter } from './wire-writer.js';

const formatVersion = 2;
/** Bytes of a batch before its first record. */
const headerSize = 61;
const lengthOffset = 8;
/** The length of a batch counts the bytes from here on. */
const lengthStart = 12;
const checksumOffset = 17;
/** The checksum covers the bytes from here on: the attributes are the first of them. */
const attributesOffset = 21;
const noProducerId = -1n;

/** Encodes a batch without compression. @param timestampMs of every record, in ms since 1970 */
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

/** Returns the same batch with its records compressed; its header stays as it is. */
export async function compressRecordBatch(batch: Buffer, codec: RecordCodec): Promise<Buffer> {
  const compressed = await codec.compress(batch.subarray(headerSize));
  return seal(Buffer.concat([batch.subarray(0, headerSize), compressed]), codec.number);
}

/**
 * RecordBatch => baseOffset: int64, batchLength: int32, partitionLeaderEpoch: int32, magic: int8,
 *   crc: uint32, attributes: int16, lastOffsetDelta: int32, baseTimestamp: int64,
 *   maxTimestamp: int64, producerId: int64, producerEpoch: int16, baseSequence: int32,
 *   recordsCount: int32, [Record]
 */
function writeHeader(writer: WireWriter, count: number, timestampMs: bigint): void {
  writer.int64(0n); // baseOffset: set by the broker
  writer.int32(0); // batchLength: see `seal`
  writer.int32(-1); // partitionLeaderEpoch: set by the broker
  writer.int8(formatVersion);
  writer.uint32(0); // crc: see `seal`
  writer.int16(0); // attributes: see `seal`
  writer.int32(count - 1);
  writer.int64(timestampMs);
  writer.int64(timestampMs);
  writer.int64(noProducerId);
  writer.int16(-1); // producerEpoch
  writer.int32(-1); // baseSequence
  writer.int32(count);
}

/** Writes the fields of the header that depend on what follows them: length, codec and checksum. */
function seal(batch: Buffer, codecNumber: number): Buffer {
  batch.writeInt32BE(batch.length - lengthStart, lengthOffset);
  batch.writeInt16BE(codecNumber, attributesOffset);
  batch.writeUInt32BE(crc32c(batch.subarray(attributesOffset)), checksumOffset);
  return batch;
}

/** Returns the bytes of a record without the length that precedes it. */
function sizeOfRecord({ key, value, headers, rawHeaders }: OutgoingRecord, index: number): number {
  let size = 1 + 1 + sizeOfVarint(index) + sizeOfBytes(key) + sizeOfBytes(value);
  if (rawHeaders) {
    for (const header of rawHeaders) size += sizeOfText(header.name) + sizeOfBytes(header.value);
    return size + sizeOfVarint(rawHeaders.length);
  }
  let count = 0;
  for (const name in headers) {
    count += 1;
    size += sizeOfText(name) + sizeOfText(headers[name] ?? '');
  }
  return size + sizeOfVarint(count);
}

/**
 * Record => length: varint, attributes: int8, timestampDelta: varlong, offsetDelta: varint,
 *   keyLength: varint, key, valueLength: varint, value, headersCount: varint, [Header]
 *   Header => keyLength: varint, key: UTF-8, valueLength: varint, value
 *
 * The length is the caller's to write.
 */
function writeRecord(
  writer: WireWriter,
  { key, value, headers, rawHeaders }: OutgoingRecord,
  index: number,
): void {
  writer.int8(0); // attributes: none are defined
  writer.varint(0); // timestampDelta: all records of a batch have one time
  writer.varint(index);
  writeBytes(writer, key);
  writeBytes(writer, value);
  if (rawHeaders) {
    writer.varint(rawHeaders.length);
    for (const header of rawHeaders) {
      writeText(writer, header.name);
      writeBytes(writer, header.value);
    }
    return;
  }
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
  writer.utf8(text, length);
}

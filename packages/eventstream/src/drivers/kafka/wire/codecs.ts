/**
 * Compression of records. kafkajs keeps its codecs in one table for the whole process, and has only
 * gzip in it; nothing is registered there. Records are compressed before kafkajs sends them
 * (record-batch.ts) and decompressed by this driver's own decoder (fetch/record-decoder.ts).
 */

import { promisify } from 'node:util';
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import {
  lz4Compress,
  lz4Decompress,
  snappyCompress,
  snappyDecompress,
} from '@platformatic/wasm-utils';

export type CodecName = 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** A compression of Kafka. */
export interface RecordCodec {
  /** Number of the codec in the lowest three bits of a batch's attributes. */
  readonly number: number;
  compress(records: Buffer): Promise<Buffer>;
  decompress(compressed: Buffer): Promise<Buffer>;
}

/** Lowest three bits of a batch's or message's attributes: the number of its codec, 0 for none. */
export const codecMask = 0x07;

/**
 * Start of snappy data that the Java client wrote. Versions and blocks with their lengths follow.
 */
const snappyMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const snappyHeader = Buffer.concat([snappyMagic, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
const snappyBlockBytes = 32 * 1024;

const codecs: Readonly<Record<CodecName, RecordCodec>> = {
  gzip: { number: 1, compress: promisify<Buffer, Buffer>(gzip), decompress: promisify(gunzip) },
  snappy: {
    number: 2,
    compress: async (records) => compressSnappy(records),
    decompress: async (compressed) => decompressSnappy(compressed),
  },
  lz4: {
    number: 3,
    compress: async (records) => lz4Compress(records),
    decompress: async (compressed) => lz4Decompress(compressed),
  },
  zstd: { number: 4, compress: promisify(zstdCompress), decompress: promisify(zstdDecompress) },
};

const codecsByNumber: ReadonlyMap<number, RecordCodec> = new Map(
  Object.values(codecs).map((codec) => [codec.number, codec]),
);

export function getCodec(name: CodecName): RecordCodec {
  return codecs[name];
}

/** @throws Error for a number that Kafka has not given to a codec */
export function getCodecByNumber(number: number): RecordCodec {
  const codec = codecsByNumber.get(number);
  if (!codec) throw new Error(`records are compressed with codec ${number}, which is not known`);
  return codec;
}

/**
 * SnappyData => magic: 8 bytes, version: int32, compatibleVersion: int32, blocks: [Block]
 *   Block => length: int32, a raw snappy block of that length
 */
function compressSnappy(plain: Buffer): Buffer {
  const parts: Buffer[] = [snappyHeader];
  for (let start = 0; start < plain.length; start += snappyBlockBytes) {
    const block = snappyCompress(plain.subarray(start, start + snappyBlockBytes));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** Reads what the Java and Go clients write (see above), and librdkafka: one raw block. */
function decompressSnappy(compressed: Buffer): Buffer {
  if (!compressed.subarray(0, snappyMagic.length).equals(snappyMagic)) {
    return snappyDecompress(compressed);
  }
  const parts: Buffer[] = [];
  for (let start = snappyHeader.length; start < compressed.length; ) {
    const end = start + 4 + compressed.readUInt32BE(start);
    parts.push(snappyDecompress(compressed.subarray(start + 4, end)));
    start = end;
  }
  return Buffer.concat(parts);
}

import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import {
  lz4Compress,
  lz4Decompress,
  snappyCompress,
  snappyDecompress,
} from '@platformatic/wasm-utils';
import kafkajs, { CompressionTypes } from 'kafkajs';
import type { KafkaCompression } from '../connection/kafka-options.js';
import type { RecordCodec } from './record-batch.js';

/** As kafkajs calls it: records to compress come in its encoder, which has them in `buffer`. */
interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(compressed: Buffer): Promise<Buffer>;
}

/** Snappy as the Java client frames it: this, two versions, then blocks with their lengths. */
const snappyMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const snappyHeader = Buffer.concat([snappyMagic, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
const snappyBlockBytes = 32 * 1024;

/**
 * Gives kafkajs the codecs that it lacks. It keeps them for the whole process; they are pure
 * functions, so whoever else uses it gains them too.
 */
export function registerCodecs(): void {
  kafkajs.CompressionCodecs[CompressionTypes.Snappy] = () => snappy;
  kafkajs.CompressionCodecs[CompressionTypes.LZ4] = () => lz4;
  kafkajs.CompressionCodecs[CompressionTypes.ZSTD] = () => zstd;
}

const codecNumbers = {
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const satisfies Record<Exclude<KafkaCompression, 'none'>, CompressionTypes>;

/** What batches are compressed with before they are sent; undefined: nothing. */
export function findRecordCodec(compression: KafkaCompression): RecordCodec | undefined {
  if (compression === 'none') return undefined;
  registerCodecs();
  const number = codecNumbers[compression];
  const codec: Codec = kafkajs.CompressionCodecs[number]();
  return { number, compress: (records) => codec.compress({ buffer: records }) };
}

const snappy: Codec = {
  compress: async ({ buffer }) => frameSnappy(buffer),
  decompress: async (compressed) => unframeSnappy(compressed),
};

const lz4: Codec = {
  compress: async ({ buffer }) => lz4Compress(buffer),
  decompress: async (compressed) => lz4Decompress(compressed),
};

const zstd: Codec = {
  compress: async ({ buffer }) => promisify(zstdCompress)(buffer),
  decompress: async (compressed) => promisify(zstdDecompress)(compressed),
};

function frameSnappy(plain: Buffer): Buffer {
  const parts: Buffer[] = [snappyHeader];
  for (let start = 0; start < plain.length; start += snappyBlockBytes) {
    const block = snappyCompress(plain.subarray(start, start + snappyBlockBytes));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** librdkafka writes one bare block, the Java and Go clients frames. */
function unframeSnappy(compressed: Buffer): Buffer {
  if (!compressed.subarray(0, snappyMagic.length).equals(snappyMagic)) {
    return snappyDecompress(compressed);
  }
  const parts: Buffer[] = [];
  for (let at = snappyHeader.length; at < compressed.length; ) {
    const end = at + 4 + compressed.readUInt32BE(at);
    parts.push(snappyDecompress(compressed.subarray(at + 4, end)));
    at = end;
  }
  return Buffer.concat(parts);
}

import { createRequire } from 'node:module';
import { crc32c } from '@platformatic/wasm-utils';
import fc from 'fast-check';
import kafkajs, { type CompressionTypes } from 'kafkajs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OutgoingRecord } from '../../../record.js';
import { getCodec, getCodecByNumber } from './codecs.js';
import { compressRecordBatch, encodeRecordBatch } from './record-batch.js';

interface DecodedBatch {
  readonly firstTimestamp: string;
  readonly lastOffsetDelta: number;
  readonly records: readonly {
    readonly offset: string;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers: Readonly<Record<string, Buffer>>;
  }[];
}

// An independent decoder: the one of kafkajs.
const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: object,
) => Promise<DecodedBatch>;

const timestampMs = 1_767_323_045_678;

async function decode(batch: Buffer): Promise<OutgoingRecord[]> {
  const { records } = await decodeBatch(new Decoder(batch));
  return records.map(({ key, value, headers }) => ({
    key,
    value,
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, `${text}`])),
  }));
}

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each)));
// UTF-8 has no lone surrogates, and kafkajs keeps headers in an object that inherits names.
const text = fc.string({ unit: 'grapheme', maxLength: 100 });
const headers = fc.dictionary(
  text.filter((name) => !(name in {})),
  text,
  { noNullPrototype: true },
);
const record = fc.record({ key: bytes, value: bytes, headers });

// For this test: kafkajs itself has only the first codec.
beforeAll(() => {
  for (const number of [2, 3, 4] as CompressionTypes[]) {
    kafkajs.CompressionCodecs[number as CompressionTypes.ZSTD] = () => getCodecByNumber(number);
  }
});

describe('a record batch', () => {
  it('is decoded by kafkajs to the same records, whatever is in them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 70 }), async (records) => {
        expect(await decode(encodeRecordBatch(records, timestampMs))).toEqual(records);
      }),
    );
  });

  it.each([63, 64, 65, 8_191, 8_192, 100_000])('holds values of %i bytes', async (length) => {
    const records = [{ key: null, value: Buffer.alloc(length, 7), headers: {} }];
    expect(await decode(encodeRecordBatch(records, timestampMs))).toEqual(records);
  });

  it('has its length, its checksum, its time and its last offset', async () => {
    const records = Array.from({ length: 3 }, () => ({ key: null, value: null, headers: {} }));
    const batch = encodeRecordBatch(records, timestampMs);
    expect(batch.readInt32BE(8)).toBe(batch.length - 12);
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)));
    expect(await decodeBatch(new Decoder(batch))).toMatchObject({
      firstTimestamp: `${timestampMs}`,
      lastOffsetDelta: 2,
      records: [{ offset: '0' }, { offset: '1' }, { offset: '2' }],
    });
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('is compressed by %s', async (name) => {
    const value = Buffer.alloc(2_000, 'posthaste ');
    const records = [1, 2].map((n) => ({ key: Buffer.from([n]), value, headers: { a: 'b' } }));
    const batch = encodeRecordBatch(records, timestampMs);
    const compressed = await compressRecordBatch(batch, getCodec(name));
    expect(compressed.length).toBeLessThan(batch.length / 2);
    expect(compressed.readUInt32BE(17)).toBe(crc32c(compressed.subarray(21)));
    expect(await decode(compressed)).toEqual(records);
  });
});

import { createRequire } from 'node:module';
import fc from 'fast-check';
import kafkajs, { type CompressionTypes } from 'kafkajs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OutgoingRecord } from '../../../record.js';
import { getCodec, getCodecByNumber } from '../wire/codecs.js';
import { compressRecordBatch, encodeRecordBatch } from '../wire/record-batch.js';
import { WireWriter } from '../wire/wire-writer.js';
import { decodeFetchResponse } from './fetch-response.js';

const require = createRequire(import.meta.url);

/** Decodes as kafkajs does. */
function decodeWithKafkajs(version: number, response: Buffer): Promise<Response> {
  return require(`kafkajs/src/protocol/requests/fetch/v${version}/response`).decode(response);
}

/** A message of either decoder. Those of formats before 0.11 have less of it. */
interface Message {
  readonly offset: string | bigint;
  readonly timestamp?: string;
  readonly timestampMs?: number;
  readonly isControlRecord?: boolean;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string>>;
}

interface Response {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly messages: readonly Message[];
      readonly abortedTransactions?: unknown;
    }[];
  }[];
}

const timestampMs = 1_767_323_045_678;
const attributesAt = 21;
const [appendTime, transactional, control] = [0x08, 0x10, 0x20];

const record = (value: string): OutgoingRecord => ({
  key: Buffer.from('k'),
  value: Buffer.from(value),
  headers: { ce_type: 'placed', grüße: 'ü' },
});

/** Returns the batch as a broker sends it: with its offset in the log. */
function placed(batch: Buffer, firstOffset: bigint, attributes = 0): Buffer {
  const copy = Buffer.from(batch);
  copy.writeBigInt64BE(firstOffset);
  copy.writeInt16BE(copy.readInt16BE(attributesAt) | attributes, attributesAt);
  return copy;
}

/** Encodes a response with one topic that has these partitions. */
function encodeResponse(version: number, partitions: readonly Buffer[]): Buffer {
  const writer = new WireWriter(1_000_000);
  if (version >= 1) writer.int32(25); // throttle time
  if (version >= 7) writer.int16(0);
  if (version >= 7) writer.int32(7); // session
  writer.int32(1);
  writer.int16(6);
  writer.utf8('orders', 6);
  writer.int32(partitions.length);
  for (const [partition, records] of partitions.entries()) {
    writer.int32(partition);
    writer.int16(0);
    writer.int64(900n); // high watermark
    if (version >= 4) writer.int64(800n); // last stable offset
    if (version >= 5) writer.int64(0n); // log start offset
    if (version >= 4) {
      writer.int32(1);
      writer.int64(33n); // producer of an aborted transaction
      writer.int64(120n); // its first offset
    }
    if (version >= 11) writer.int32(-1);
    writer.int32(records.length);
    writer.raw(records);
  }
  return writer.bytes.subarray(0, writer.position);
}

/** Gives the responses of both decoders the same types. */
function toComparable({ responses, ...header }: Response): object {
  return {
    ...header,
    responses: responses.map(({ topicName, partitions }) => ({
      topicName,
      // Ours are empty, because the records are marked already.
      partitions: partitions.map(({ messages, abortedTransactions, ...rest }) => ({
        ...rest,
        messages: messages.map(toComparableMessage),
      })),
    })),
  };
}

function toComparableMessage(message: Message): object {
  const { offset, key, value, headers = {}, isControlRecord = false } = message;
  return {
    ...{ key, value, isControlRecord },
    offset: BigInt(offset),
    timestampMs: Number(message.timestampMs ?? message.timestamp ?? -1),
    headers: Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, `${each}`])),
  };
}

async function decode(version: number, response: Buffer): Promise<Response> {
  return (await decodeFetchResponse(version, response)) as Response;
}

async function expectSameAsKafkajs(partitions: readonly Buffer[], version = 11): Promise<void> {
  const response = encodeResponse(version, partitions);
  const expected = toComparable(await decodeWithKafkajs(version, response));
  // Fields that the version does not have are only in ours.
  expect(toComparable(await decode(version, response))).toMatchObject(expected);
}

// For the comparison: kafkajs itself has only the first codec.
beforeAll(() => {
  for (const number of [2, 3, 4] as CompressionTypes[]) {
    kafkajs.CompressionCodecs[number as CompressionTypes.ZSTD] = () => getCodecByNumber(number);
  }
});

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each)));
const headers = fc.dictionary(
  fc.string({ maxLength: 30 }).filter((name) => !(name in {})),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  { noNullPrototype: true },
);
const anyRecord = fc.record({ key: bytes, value: bytes, headers });

describe('a fetch response is decoded as kafkajs decodes it', () => {
  it('whatever is in the records', async () => {
    const batch = fc.array(anyRecord, { minLength: 1, maxLength: 70 });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 4 }), async (batches) => {
        const encoded = batches.map((records) => encodeRecordBatch(records, timestampMs));
        const at = (index: number): bigint => 2n ** 40n + BigInt(index * 1_000);
        const log = Buffer.concat(encoded.map((each, index) => placed(each, at(index))));
        await expectSameAsKafkajs([log, Buffer.alloc(0), log]);
      }),
    );
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('compressed by %s', async (name) => {
    const plain = encodeRecordBatch([record('a'), record('b'.repeat(5_000))], timestampMs);
    await expectSameAsKafkajs([placed(await compressRecordBatch(plain, getCodec(name)), 5n)]);
  });

  it.each([
    ['the time of the broker', appendTime],
    ['a transaction', transactional],
    ['control records', transactional | control],
  ])('with %s', async (_, attributes) => {
    const batch = encodeRecordBatch([record('a')], timestampMs);
    await expectSameAsKafkajs([placed(batch, 5n, attributes)]);
  });

  it('with times before and after that of the first record', async () => {
    const batch = encodeRecordBatch([record('a')], timestampMs);
    // The delta is the third byte of the record: -1 and 63 in zigzag.
    for (const delta of [0x01, 0x7e]) {
      const moved = placed(batch, 5n);
      moved[63] = delta;
      await expectSameAsKafkajs([moved]);
    }
  });

  it('cut off in the last batch', async () => {
    const batch = placed(encodeRecordBatch([record('a'), record('b')], timestampMs), 5n);
    for (const length of [10, 40, batch.length - 1]) {
      await expectSameAsKafkajs([Buffer.concat([batch, batch.subarray(0, length)])]);
    }
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])('in version %i', async (version) => {
    // kafkajs expects record batches since version 4.
    const batch = placed(encodeRecordBatch([record('a'), record('b')], timestampMs), 5n);
    const records = version < 4 ? encodeMessageSet(1, [{ value: 'a' }], 5n) : batch;
    await expectSameAsKafkajs([records, Buffer.alloc(0), records], version);
  });

  it('for a topic that is missing from the response', async () => {
    const response = encodeResponse(11, []);
    expect(await decode(11, response)).toEqual(await decodeWithKafkajs(11, response));
  });
});

interface OldMessage {
  readonly key?: string | null;
  readonly value: string | Buffer | null;
  readonly timestamp?: number;
  readonly compression?: number;
}

const encodeWithKafkajs = require('kafkajs/src/protocol/messageSet') as (options: {
  messageVersion: number;
  compression: number;
  entries: OldMessage[];
}) => { readonly buffer: Buffer };

/** Encodes messages of a format before 0.11, at consecutive offsets. */
function encodeMessageSet(
  magic: number,
  messages: readonly OldMessage[],
  firstOffset: bigint,
): Buffer {
  const encoded = messages.map((message, index) => {
    const entries = [{ key: null, timestamp: timestampMs + index, ...message }];
    const { buffer } = encodeWithKafkajs({ messageVersion: magic, compression: 0, entries });
    const copy = Buffer.from(buffer);
    copy.writeBigInt64BE(firstOffset + BigInt(index));
    return copy;
  });
  return Buffer.concat(encoded);
}

describe('records in formats before Kafka 0.11 are decoded as kafkajs decodes them', () => {
  const messages = [{ key: 'k', value: 'a' }, { value: null }, { value: 'b'.repeat(5_000) }];

  it.each([0, 1])('without compression (magic %i)', async (magic) => {
    const messageSet = encodeMessageSet(magic, messages, 7n);
    await expectSameAsKafkajs([messageSet]);
    await expectSameAsKafkajs([Buffer.concat([messageSet, messageSet.subarray(0, 20)])]);
  });

  it.each(
    [0, 1].flatMap((magic) =>
      (['gzip', 'snappy', 'lz4'] as const).map((name) => ({ magic, name })),
    ),
  )('compressed by $name (magic $magic)', async ({ magic, name }) => {
    const codec = getCodec(name);
    const inner = encodeMessageSet(magic, messages, magic === 0 ? 100n : 0n);
    const outer = { value: await codec.compress(inner), compression: codec.number };
    const messageSet = encodeMessageSet(magic, [outer], 102n);
    await expectSameAsKafkajs([messageSet]);
    const { responses } = await decode(11, encodeResponse(11, [messageSet]));
    const offsets = responses[0]?.partitions[0]?.messages.map(({ offset }) => offset);
    expect(offsets).toEqual([100n, 101n, 102n]);
  });
});

describe('a partition', () => {
  it('may have records in several formats', async () => {
    const old = encodeMessageSet(1, [{ value: 'old' }], 5n);
    const batch = placed(encodeRecordBatch([record('new')], timestampMs), 6n);
    const { responses } = await decode(11, encodeResponse(11, [Buffer.concat([old, batch])]));
    const values = responses[0]?.partitions[0]?.messages.map(({ value }) => `${value}`);
    expect(values).toEqual(['old', 'new']);
  });

  it('is refused if its records are in a format that is not known', async () => {
    const batch = encodeRecordBatch([record('a')], timestampMs);
    batch[16] = 3;
    await expect(decode(11, encodeResponse(11, [batch]))).rejects.toThrow(
      'records of orders/0 are in unknown format 3',
    );
  });
});

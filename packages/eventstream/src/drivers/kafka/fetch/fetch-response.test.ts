import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutgoingRecord } from '../../../record.js';
import { findRecordCodec } from '../wire/codecs.js';
import { compressRecordBatch, encodeRecordBatch } from '../wire/record-batch.js';
import { WireWriter } from '../wire/wire-writer.js';
import { decodeFetchResponse } from './fetch-response.js';

// What kafkajs makes of the same bytes.
const kafkajs = createRequire(import.meta.url)(
  'kafkajs/src/protocol/requests/fetch/v11/response',
) as {
  decode(answer: Buffer): Promise<Answer>;
};

interface Message {
  readonly offset: string | bigint;
  readonly timestamp?: string;
  readonly timestampMs?: number;
  readonly isControlRecord: boolean;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string>>;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

interface Answer {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly { readonly messages: readonly Message[] }[];
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

/** As a broker gives the batch: with its place in the log. */
function placed(batch: Buffer, firstOffset: bigint, attributes = 0): Buffer {
  const copy = Buffer.from(batch);
  copy.writeBigInt64BE(firstOffset);
  copy.writeInt16BE(copy.readInt16BE(attributesAt) | attributes, attributesAt);
  return copy;
}

/** One topic with these partitions. */
function toAnswer(partitions: readonly Buffer[]): Buffer {
  const writer = new WireWriter(1_000_000);
  writer.int32(25); // throttle
  writer.int16(0);
  writer.int32(7); // session
  writer.int32(1);
  writer.int16(6);
  writer.text('orders', 6);
  writer.int32(partitions.length);
  for (const [partition, batches] of partitions.entries()) {
    writer.int32(partition);
    writer.int16(0);
    for (const offset of [900n, 800n, 0n]) writer.int64(offset);
    writer.int32(1);
    writer.int64(33n); // producer
    writer.int64(120n); // first offset
    writer.int32(-1);
    writer.int32(batches.length);
    writer.raw(batches);
  }
  return writer.bytes.subarray(0, writer.at);
}

/** Without what is only in one of the two, and with the same types. */
function comparable({ responses, ...head }: Answer): unknown {
  return {
    ...head,
    responses: responses.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ messages, ...rest }) => ({
        ...rest,
        messages: messages.map(toComparable),
      })),
    })),
  };
}

function toComparable(message: Message): unknown {
  const { offset, key, value, headers, isControlRecord, batchContext } = message;
  const { producerId, inTransaction } = batchContext;
  return {
    ...{ key, value, isControlRecord, producerId, inTransaction },
    offset: BigInt(offset),
    timestampMs: Number(message.timestampMs ?? message.timestamp),
    headers: Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, `${each}`])),
  };
}

async function expectSameAsKafkajs(partitions: readonly Buffer[]): Promise<void> {
  const answer = toAnswer(partitions);
  const ours = await decodeFetchResponse(answer);
  expect(comparable((ours ?? expect.fail()) as Answer)).toEqual(
    comparable(await kafkajs.decode(answer)),
  );
}

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each)));
const headers = fc.dictionary(
  fc.string({ maxLength: 30 }).filter((name) => !(name in {})),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  { noNullPrototype: true },
);
const anyRecord = fc.record({ key: bytes, value: bytes, headers });

describe('an answer to a fetch is what kafkajs makes of it', () => {
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
    const codec = findRecordCodec(name) ?? expect.fail();
    const plain = encodeRecordBatch([record('a'), record('b'.repeat(5_000))], timestampMs);
    await expectSameAsKafkajs([placed(await compressRecordBatch(plain, codec), 5n)]);
  });

  it.each([
    ['the time of the broker', appendTime],
    ['a transaction', transactional],
    ['marks of transactions', transactional | control],
  ])('with %s', async (_what, attributes) => {
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
});

it('leaves records of older formats to kafkajs', async () => {
  const batch = encodeRecordBatch([record('a')], timestampMs);
  batch[16] = 1;
  expect(await decodeFetchResponse(toAnswer([batch]))).toBeUndefined();
});

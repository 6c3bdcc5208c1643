/**
 * The Produce request of Kafka's protocol, version 7: that of Kafka 2.1, the first that takes zstd.
 * It goes over kafkajs's connections, which authenticate and time out, and is built here because
 * kafkajs encodes every record anew (record-batch.ts) and answers for all partitions with one error.
 */

import type { Broker } from 'kafkajs';
import type { KafkajsInternals } from '../connection/kafkajs-internals.js';
import { utf8Length, WireWriter } from '../wire/wire-writer.js';

const produceKey = 0;
const produceVersion = 7;
const noTransaction = -1;

/** A batch for one partition; see `encodeRecordBatch`. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

export interface ProduceSettings {
  /** How many brokers must have it; -1: all in-sync ones. */
  readonly acks: number;
  /** Time for them to say so. */
  readonly timeoutMs: number;
  readonly internals: Pick<KafkajsInternals, 'createErrorFromCode'>;
}

interface ProduceResponse {
  /** Error numbers by topic and partition; 0 is none. */
  readonly errorCodes: ReadonlyMap<string, number>;
  /** How long to leave the broker alone, in milliseconds; under the name that kafkajs reads. */
  readonly clientSideThrottleTime: number;
}

/** What a broker of kafkajs has beyond its types. */
interface RequestPath {
  readonly connectionPool: {
    send(exchange: {
      readonly request: {
        readonly apiKey: number;
        readonly apiVersion: number;
        readonly apiName: string;
        readonly expectResponse: () => boolean;
        readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
      };
      readonly response: {
        readonly decode: (bytes: Buffer) => Promise<ProduceResponse>;
        readonly parse: (answer: ProduceResponse) => Promise<ProduceResponse>;
      };
    }): Promise<ProduceResponse | undefined>;
  };
}

/** Newer than kafkajs: a record without a key for a compacted topic, for one. */
const invalidRecord = 87;

/** What came of a batch: undefined when it is written, else the protocol's error. */
export type BatchOutcome = (batch: PartitionBatch) => Error | undefined;

/**
 * Sends batches to their leader in one request.
 * @param claim - gives the batches when there is a connection and the request is about to be written
 * to it; when this throws, or was not called, nothing has been sent
 * @throws Error of kafkajs when the request as a whole failed
 */
export async function produce(
  leader: Broker,
  claim: () => readonly PartitionBatch[],
  settings: ProduceSettings,
): Promise<BatchOutcome> {
  const answer = await exchange(leader, claim, settings);
  return (batch) => {
    // Whoever wants no acknowledgement gets no answer.
    const code = answer?.errorCodes.get(placeOf(batch)) ?? 0;
    return code === 0 ? undefined : toError(code, settings);
  };
}

async function exchange(
  leader: Broker,
  claim: () => readonly PartitionBatch[],
  settings: ProduceSettings,
): Promise<ProduceResponse | undefined> {
  try {
    return await (leader as Broker & RequestPath).connectionPool.send({
      request: {
        apiKey: produceKey,
        apiVersion: produceVersion,
        apiName: 'Produce',
        expectResponse: () => settings.acks !== 0,
        encode: async () => {
          const body = encodeRequest(claim(), settings);
          return { buf: body, buffer: body };
        },
      },
      response: { decode: async (bytes) => decodeAnswer(bytes), parse: async (decoded) => decoded },
    });
  } catch (error) {
    // As kafkajs's own requests do, so that the next one finds a broker to connect to.
    if ((error as Error).name === 'KafkaJSConnectionClosedError') await leader.disconnect();
    throw error;
  }
}

function encodeRequest(
  batches: readonly PartitionBatch[],
  { acks, timeoutMs }: ProduceSettings,
): Buffer {
  const topics = Map.groupBy(batches, ({ topic }) => topic);
  const writer = new WireWriter(sizeOfRequest(topics));
  writer.int16(noTransaction);
  writer.int16(acks);
  writer.int32(timeoutMs);
  writer.int32(topics.size);
  for (const [topic, partitions] of topics) {
    const length = utf8Length(topic);
    writer.int16(length);
    writer.text(topic, length);
    writer.int32(partitions.length);
    for (const { partition, batch } of partitions) {
      writer.int32(partition);
      writer.int32(batch.length);
      writer.raw(batch);
    }
  }
  return writer.bytes;
}

function sizeOfRequest(topics: ReadonlyMap<string, readonly PartitionBatch[]>): number {
  let size = 2 + 2 + 4 + 4;
  for (const [topic, partitions] of topics) {
    size += 2 + utf8Length(topic) + 4;
    for (const { batch } of partitions) size += 4 + 4 + batch.length;
  }
  return size;
}

function decodeAnswer(bytes: Buffer): ProduceResponse {
  const errorCodes = new Map<string, number>();
  let at = 4;
  for (let topics = bytes.readInt32BE(0); topics > 0; topics -= 1) {
    const nameEnd = at + 2 + bytes.readInt16BE(at);
    const topic = bytes.toString('utf8', at + 2, nameEnd);
    at = nameEnd + 4;
    for (let partitions = bytes.readInt32BE(nameEnd); partitions > 0; partitions -= 1) {
      errorCodes.set(
        placeOf({ topic, partition: bytes.readInt32BE(at) }),
        bytes.readInt16BE(at + 4),
      );
      // Then come first offset, time of the log and first offset of the log.
      at += 4 + 2 + 8 + 8 + 8;
    }
  }
  return { errorCodes, clientSideThrottleTime: bytes.readInt32BE(at) };
}

function toError(code: number, { internals }: ProduceSettings): Error {
  const error = internals.createErrorFromCode(code);
  return code === invalidRecord ? Object.assign(error, { type: 'INVALID_RECORD' }) : error;
}

function placeOf({
  topic,
  partition,
}: {
  readonly topic: string;
  readonly partition: number;
}): string {
  return `${topic}/${partition}`;
}

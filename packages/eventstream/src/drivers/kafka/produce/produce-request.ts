/**
 * The Produce request of Kafka's protocol in version 7, that of Kafka 2.1: the first that allows
 * zstd. It is sent over connections of kafkajs, which authenticate and time out, but built here:
 * kafkajs encodes every record anew (wire/record-batch.ts) and returns one error for all
 * partitions.
 */

import type { Broker } from 'kafkajs';
import type { KafkajsInternals } from '../connection/kafkajs-internals.js';
import { WireReader } from '../wire/wire-reader.js';
import { utf8Length, WireWriter } from '../wire/wire-writer.js';
import { nameOf } from './ordered-appends.js';

/** Number of the Produce request in Kafka's protocol. */
const produceKey = 0;
const produceVersion = 7;
const noTransactionalId = -1;

/** A batch for one partition, encoded by `encodeRecordBatch`. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

export interface ProduceSettings {
  /** Number of brokers that must have a batch; -1: all in-sync replicas. */
  readonly acks: number;
  /** Time for them to acknowledge it, in ms. */
  readonly timeoutMs: number;
  readonly internals: Pick<KafkajsInternals, 'createErrorFromCode'>;
}

interface ProduceResponse {
  /** Error codes by topic and partition; 0 is none. */
  readonly errorCodes: ReadonlyMap<string, number>;
  /** Time for which the client must not send, in ms; under the name that kafkajs reads. */
  readonly clientSideThrottleTime: number;
}

/** Member of kafkajs's broker objects that its types leave out. */
interface WithConnectionPool {
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
        readonly parse: (response: ProduceResponse) => Promise<ProduceResponse>;
      };
    }): Promise<ProduceResponse | undefined>;
  };
}

/**
 * Error code that kafkajs does not know: a compacted topic refuses a record without a key, for one.
 */
const invalidRecord = 87;

/** Returns the protocol's error for a batch that was sent; undefined if the batch is written. */
export type ErrorOfBatch = (batch: PartitionBatch) => Error | undefined;

/**
 * Sends batches to their leader in one request.
 * @param takeBatches returns the batches. Called when there is a connection and the request is
 * about to be written to it: if it throws, or was not called, nothing has been sent
 * @throws Error of kafkajs if the request as a whole failed
 */
export async function produce(
  leader: Broker,
  takeBatches: () => readonly PartitionBatch[],
  settings: ProduceSettings,
): Promise<ErrorOfBatch> {
  const response = await send(leader, takeBatches, settings);
  return (batch) => {
    // With acks of 0 there is no response.
    const code = response?.errorCodes.get(nameOf(batch)) ?? 0;
    return code === 0 ? undefined : toError(code, settings);
  };
}

async function send(
  leader: Broker,
  takeBatches: () => readonly PartitionBatch[],
  settings: ProduceSettings,
): Promise<ProduceResponse | undefined> {
  try {
    return await (leader as Broker & WithConnectionPool).connectionPool.send({
      request: {
        apiKey: produceKey,
        apiVersion: produceVersion,
        apiName: 'Produce',
        expectResponse: () => settings.acks !== 0,
        encode: async () => {
          const body = encodeRequest(takeBatches(), settings);
          return { buf: body, buffer: body };
        },
      },
      response: {
        decode: async (bytes) => decodeResponse(bytes),
        parse: async (decoded) => decoded,
      },
    });
  } catch (error) {
    // As kafkajs's own requests do, so that the next request connects to the broker again.
    if ((error as Error).name === 'KafkaJSConnectionClosedError') await leader.disconnect();
    throw error;
  }
}

/**
 * Produce Request (version 7) => transactionalId: NULLABLE_STRING, acks: int16, timeoutMs: int32,
 *   [topic: STRING, [partition: int32, records: BYTES (a record batch)]]
 */
function encodeRequest(
  batches: readonly PartitionBatch[],
  { acks, timeoutMs }: ProduceSettings,
): Buffer {
  const topics = Map.groupBy(batches, ({ topic }) => topic);
  const writer = new WireWriter(sizeOfRequest(topics));
  writer.int16(noTransactionalId);
  writer.int16(acks);
  writer.int32(timeoutMs);
  writer.int32(topics.size);
  for (const [topic, partitions] of topics) {
    const length = utf8Length(topic);
    writer.int16(length);
    writer.utf8(topic, length);
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

/**
 * Produce Response (version 7) => [topic: STRING, [partition: int32, errorCode: int16,
 *   baseOffset: int64, logAppendTimeMs: int64, logStartOffset: int64]], throttleTimeMs: int32
 */
function decodeResponse(bytes: Buffer): ProduceResponse {
  const errorCodes = new Map<string, number>();
  const reader = new WireReader(bytes);
  for (let topics = reader.int32(); topics > 0; topics -= 1) {
    const topic = reader.string();
    for (let partitions = reader.int32(); partitions > 0; partitions -= 1) {
      const partition = reader.int32();
      errorCodes.set(nameOf({ topic, partition }), reader.int16());
      reader.skip(8 + 8 + 8);
    }
  }
  return { errorCodes, clientSideThrottleTime: reader.int32() };
}

function toError(code: number, { internals }: ProduceSettings): Error {
  const error = internals.createErrorFromCode(code);
  return code === invalidRecord ? Object.assign(error, { type: 'INVALID_RECORD' }) : error;
}

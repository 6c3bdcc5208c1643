/**
 * How records get from a broker to the handler of a subscription:
 *
 * 1. kafkajs's consumer sends a Fetch request to each leader of assigned partitions.
 * 2. The response is decoded here in place of kafkajs, into `FetchedRecord`s (record-decoder.ts;
 *    message-set.ts for formats before Kafka 0.11).
 * 3. kafkajs drops the records that aborted-transactions.ts has found hidden, and calls `eachBatch`
 *    for each partition.
 * 4. batch-dispatcher.ts passes the records that belong to the current assignment to the handler,
 *    and pauses a partition whose handler takes long.
 */

import type { Cluster } from 'kafkajs';
import { type CreateRequest, wrapRequest } from '../connection/kafkajs-internals.js';
import { WireReader } from '../wire/wire-reader.js';
import { type AbortedTransaction, AbortedTransactions } from './aborted-transactions.js';
import type { FetchedMessage } from './fetched-record.js';
import { decodeRecords } from './record-decoder.js';

/** Number of the Fetch request in Kafka's protocol. */
const fetchKey = 1;

/** Response under the names that kafkajs reads; numbers of 64 bits in decimal. */
interface FetchResponse {
  /** Time for which the broker has delayed its answer, in ms. */
  readonly throttleTime: number;
  /** Time for which the client must not send, in ms. */
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly FetchedPartition[];
  }[];
}

interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly lastStartOffset: string;
  /** Empty: the filter of kafkajs is not used (aborted-transactions.ts). */
  readonly abortedTransactions: readonly [];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedMessage[];
}

/** Makes the brokers of this cluster object decode Fetch responses with `decodeFetchResponse`. */
export function decodeFetchResponses(cluster: Cluster): void {
  const findBroker = cluster.findBroker.bind(cluster);
  cluster.findBroker = async (node) => {
    const broker = await findBroker(node);
    wrapRequest(broker, fetchKey, withDecoder);
    return broker;
  };
}

function withDecoder(createRequest: CreateRequest): CreateRequest {
  return (args) => {
    const created = createRequest(args);
    const { apiVersion } = created.request;
    const decode = (bytes: Buffer): Promise<unknown> => decodeFetchResponse(apiVersion, bytes);
    return { ...created, response: { ...created.response, decode } };
  };
}

/**
 * Fetch Response (versions 0 to 11) => throttleTimeMs: int32 (1+), errorCode: int16 (7+),
 *   sessionId: int32 (7+), [topic: STRING, [Partition]]
 *
 * kafkajs asks every broker for the newest version that both know: 11 since Kafka 2.3.
 */
export async function decodeFetchResponse(version: number, bytes: Buffer): Promise<FetchResponse> {
  const reader = new WireReader(bytes);
  const throttleMs = version >= 1 ? reader.int32() : 0;
  const errorCode = version >= 7 ? reader.int16() : 0;
  const sessionId = version >= 7 ? reader.int32() : 0;
  const responses: { topicName: string; partitions: FetchedPartition[] }[] = [];
  for (let topics = reader.int32(); topics > 0; topics -= 1) {
    const topicName = reader.string();
    const partitions: FetchedPartition[] = [];
    for (let count = reader.int32(); count > 0; count -= 1) {
      partitions.push(await decodePartition(version, topicName, reader));
    }
    responses.push({ topicName, partitions });
  }
  // KIP-219: since version 8 a broker answers at once, and the client waits.
  const clientSideThrottleTime = version >= 8 ? throttleMs : 0;
  const throttleTime = throttleMs - clientSideThrottleTime;
  return { throttleTime, clientSideThrottleTime, errorCode, sessionId, responses };
}

/**
 * Partition => partitionIndex: int32, errorCode: int16, highWatermark: int64,
 *   lastStableOffset: int64 (4+), logStartOffset: int64 (5+),
 *   [producerId: int64, firstOffset: int64] (4+: aborted transactions),
 *   preferredReadReplica: int32 (11), records: NULLABLE_BYTES
 */
async function decodePartition(
  version: number,
  topic: string,
  reader: WireReader,
): Promise<FetchedPartition> {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = String(reader.int64());
  const lastStableOffset = version >= 4 ? String(reader.int64()) : '-1';
  const lastStartOffset = version >= 5 ? String(reader.int64()) : '-1';
  const aborted = new AbortedTransactions(version >= 4 ? readAbortedTransactions(reader) : []);
  const preferredReadReplica = version >= 11 ? reader.int32() : -1;
  const bytes = reader.nullableBytes() ?? Buffer.alloc(0);
  return {
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    lastStartOffset,
    abortedTransactions: [],
    preferredReadReplica,
    messages: await decodeRecords({ topic, partition, bytes, aborted }),
  };
}

function readAbortedTransactions(reader: WireReader): AbortedTransaction[] {
  const transactions: AbortedTransaction[] = [];
  for (let count = reader.int32(); count > 0; count -= 1) {
    transactions.push({ producerId: reader.int64(), firstOffset: reader.int64() });
  }
  return transactions;
}

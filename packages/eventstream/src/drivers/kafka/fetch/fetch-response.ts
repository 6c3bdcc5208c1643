/** The answer to kafkajs's Fetch requests, read by us (fetched-batches.ts) in place of kafkajs. */

import type { Cluster } from 'kafkajs';
import { type RequestLookup, requestLookupOf } from '../connection/kafkajs-internals.js';
import { WireReader } from '../wire/wire-reader.js';
import type { FetchedRecord } from './fetched-record.js';
import { isReadable, readBatches } from './record-decoder.js';

const fetchKey = 1;
/** The version that kafkajs asks all brokers for, those of Kafka 2.3 and newer. */
const fetchVersion = 11;

interface FetchExchange {
  readonly request: { readonly apiVersion: number };
  readonly response: { decode(answer: Buffer): Promise<unknown> };
}

/** In the names of kafkajs, numbers of 64 bits in decimal. */
interface FetchResponse {
  readonly throttleTime: number;
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
  readonly abortedTransactions: readonly AbortedTransaction[];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedRecord[];
}

interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/** From now on what the brokers of this cluster send is read by us: messages are `FetchedRecord`. */
export function decodeFetchResponses(cluster: Cluster): void {
  const ours = new WeakSet<RequestLookup<FetchExchange>>();
  const find = cluster.findBroker.bind(cluster);
  cluster.findBroker = async (node) => {
    const broker = await find(node);
    const lookup = requestLookupOf<FetchExchange>(broker);
    // A new one after each connection.
    if (!ours.has(lookup)) {
      const lookupRequest = withOurAnswer(lookup);
      ours.add(lookupRequest);
      Object.assign(broker, { lookupRequest });
    }
    return broker;
  };
}

function withOurAnswer(lookup: RequestLookup<FetchExchange>): RequestLookup<FetchExchange> {
  return (apiKey, definition) => {
    const toExchange = lookup(apiKey, definition);
    if (apiKey !== fetchKey) return toExchange;
    return (args) => {
      const { request, response } = toExchange(args);
      if (request.apiVersion !== fetchVersion) return { request, response };
      const decode = async (answer: Buffer): Promise<unknown> =>
        // What is in an older format is for kafkajs.
        (await decodeFetchResponse(answer)) ?? response.decode(answer);
      return { request, response: { ...response, decode } };
    };
  };
}

/** Undefined when some of the records are in a format older than that of Kafka 0.11. */
export async function decodeFetchResponse(answer: Buffer): Promise<FetchResponse | undefined> {
  const reader = new WireReader(answer);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  const sessionId = reader.int32();
  const responses: { topicName: string; partitions: FetchedPartition[] }[] = [];
  for (let topics = reader.int32(); topics > 0; topics -= 1) {
    const topicName = reader.text();
    const partitions: FetchedPartition[] = [];
    for (let count = reader.int32(); count > 0; count -= 1) {
      const partition = await readPartition(topicName, reader);
      if (!partition) return undefined;
      partitions.push(partition);
    }
    responses.push({ topicName, partitions });
  }
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

async function readPartition(
  topic: string,
  reader: WireReader,
): Promise<FetchedPartition | undefined> {
  const partition = reader.int32();
  const head = {
    partition,
    errorCode: reader.int16(),
    highWatermark: String(reader.int64()),
    lastStableOffset: String(reader.int64()),
    lastStartOffset: String(reader.int64()),
    abortedTransactions: readAborted(reader),
    preferredReadReplica: reader.int32(),
  };
  const length = Math.max(0, reader.int32());
  const batches = reader.bytes.subarray(reader.at, reader.at + length);
  reader.skip(length);
  if (!isReadable(batches)) return undefined;
  return { ...head, messages: await readBatches(topic, partition, batches) };
}

function readAborted(reader: WireReader): AbortedTransaction[] {
  const aborted: AbortedTransaction[] = [];
  for (let count = reader.int32(); count > 0; count -= 1) {
    aborted.push({ producerId: String(reader.int64()), firstOffset: String(reader.int64()) });
  }
  return aborted;
}

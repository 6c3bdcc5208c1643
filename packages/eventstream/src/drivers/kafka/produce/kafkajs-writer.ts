/**
 * How records get from the publisher to a broker:
 *
 * 1. `KafkajsWriter.append` gets records for one partition. ordered-appends.ts limits the time, and
 *    keeps the order of the partition when a response comes late.
 * 2. The records are encoded as a record batch, and compressed if that is set
 *    (wire/record-batch.ts).
 * 3. The leader of the partition is looked up in the metadata of kafkajs
 *    (connection/cluster-connection.ts).
 * 4. produce-queue.ts puts the batches for one broker into one request, produce-request.ts sends it
 *    and reads the result of each batch.
 */

import { PlatformError } from '@posthaste/contracts';
import type { Broker, Cluster } from 'kafkajs';
import type { AppendRequest } from '../../../driver.js';
import type { OutgoingRecord } from '../../../record.js';
import type { ClusterConnection } from '../connection/cluster-connection.js';
import { isWorthReconnecting, toAppendError, toPlatformError } from '../connection/kafka-errors.js';
import type { KafkaAcks, KafkaSettings } from '../connection/kafka-options.js';
import type { KafkajsInternals } from '../connection/kafkajs-internals.js';
import { getCodec, type RecordCodec } from '../wire/codecs.js';
import { compressRecordBatch, encodeRecordBatch } from '../wire/record-batch.js';
import { OrderedAppends, type SendState } from './ordered-appends.js';
import { ProduceQueue } from './produce-queue.js';

/** Values of `acks` in a Produce request. */
const acksOnWire: Readonly<Record<KafkaAcks, number>> = { all: -1, leader: 1, none: 0 };

export interface KafkajsWriterOptions {
  readonly settings: KafkaSettings;
  readonly connection: ClusterConnection;
  readonly internals: KafkajsInternals;
}

/**
 * A writer that sends Produce requests to the leaders of partitions. It is no idempotent producer
 * in Kafka's sense: with one batch of a partition in flight, the order needs no sequence numbers.
 */
export class KafkajsWriter {
  readonly #connection: ClusterConnection;
  readonly #appends: OrderedAppends;
  readonly #queue: ProduceQueue;
  readonly #codec: RecordCodec | undefined;

  constructor({ settings, connection, internals }: KafkajsWriterOptions) {
    const { acks, compression, writeTimeoutMs } = settings;
    this.#connection = connection;
    this.#queue = new ProduceQueue({
      acks: acksOnWire[acks],
      timeoutMs: writeTimeoutMs,
      internals,
    });
    this.#codec = compression === 'none' ? undefined : getCodec(compression);
    this.#appends = new OrderedAppends((request, state) => this.#write(request, state));
  }

  async partitionCount(topic: string): Promise<number> {
    const cluster = this.#connection.get();
    try {
      await cluster.connect();
      await cluster.addMultipleTargetTopics([topic]);
      await cluster.refreshMetadata();
      return cluster.findTopicPartitionMetadata(topic).length;
    } catch (error) {
      const failure = toPlatformError(error, `read the partitions of ${topic}`);
      this.#connection.replace(cluster);
      throw failure;
    }
  }

  append(request: AppendRequest): Promise<void> {
    return this.#appends.append(request);
  }

  async #write({ topic, partition, records }: AppendRequest, state: SendState): Promise<void> {
    const action = `append to ${topic}/${partition}`;
    const cluster = this.#connection.get();
    let failure: PlatformError;
    try {
      const batch = await this.#encode(records);
      const leader = await findLeader(cluster, topic, partition);
      await this.#queue.send(leader, { topic, partition, batch }, state);
      return;
    } catch (error) {
      failure = state.sent ? toAppendError(error, action) : toPlatformError(error, action);
    }
    if (isWorthReconnecting(failure)) this.#connection.replace(cluster);
    throw failure;
  }

  async #encode(records: readonly OutgoingRecord[]): Promise<Buffer> {
    const batch = encodeRecordBatch(records, Date.now());
    return this.#codec === undefined ? batch : compressRecordBatch(batch, this.#codec);
  }
}

async function findLeader(cluster: Cluster, topic: string, partition: number): Promise<Broker> {
  await cluster.connect();
  await cluster.addMultipleTargetTopics([topic]);
  await cluster.refreshMetadataIfNecessary();
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  if (nodeId === undefined) {
    throw new PlatformError('STREAM_UNAVAILABLE', `${topic} has no partition ${partition}`);
  }
  return cluster.findBroker({ nodeId });
}

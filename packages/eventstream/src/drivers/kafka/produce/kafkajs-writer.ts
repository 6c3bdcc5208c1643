import { setTimeout as sleep } from 'node:timers/promises';
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

const acksOnWire: Readonly<Record<KafkaAcks, number>> = { all: -1, leader: 1, none: 0 };

/** Brokers answer that a topic is missing while they make it, because they were asked for it. */
const creationTries = 10;
const creationPauseMs = 100;

export interface KafkajsWriterOptions {
  readonly settings: KafkaSettings;
  readonly connection: ClusterConnection;
  readonly internals: KafkajsInternals;
}

/**
 * Appends by requests to the partitions' leaders. Not idempotent in Kafka's sense: the order of a
 * lane needs no sequence numbers while one batch is under way.
 */
export class KafkajsWriter {
  readonly #settings: KafkaSettings;
  readonly #connection: ClusterConnection;
  readonly #appends: OrderedAppends;
  readonly #queue: ProduceQueue;
  readonly #codec: RecordCodec | undefined;

  constructor({ settings, connection, internals }: KafkajsWriterOptions) {
    this.#settings = settings;
    this.#connection = connection;
    this.#queue = new ProduceQueue({
      acks: acksOnWire[settings.acks],
      timeoutMs: settings.writeTimeoutMs,
      internals,
    });
    const { compression } = settings;
    this.#codec = compression === 'none' ? undefined : getCodec(compression);
    this.#appends = new OrderedAppends((request, attempt) => this.#write(request, attempt));
  }

  async partitionCount(topic: string): Promise<number> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#countPartitions(topic);
      } catch (error) {
        const isMissing = error instanceof PlatformError && error.code === 'TOPIC_NOT_FOUND';
        if (!isMissing || !this.#settings.createTopics || tries === creationTries) throw error;
      }
      await sleep(creationPauseMs);
    }
  }

  append(request: AppendRequest): Promise<void> {
    return this.#appends.append(request);
  }

  async #countPartitions(topic: string): Promise<number> {
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

  async #write({ topic, partition, records }: AppendRequest, attempt: SendState): Promise<void> {
    const action = `append to ${topic}/${partition}`;
    const cluster = this.#connection.get();
    let failure: PlatformError;
    try {
      const batch = await this.#encode(records);
      const leader = await findLeader(cluster, topic, partition);
      await this.#queue.send(leader, { topic, partition, batch }, attempt);
      return;
    } catch (error) {
      failure = attempt.sent ? toAppendError(error, action) : toPlatformError(error, action);
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

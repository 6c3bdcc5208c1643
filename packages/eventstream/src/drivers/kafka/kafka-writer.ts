import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import { type Broker, type Cluster, CompressionTypes } from 'kafkajs';
import type { AppendRequest } from '../../driver.js';
import type { ClusterConnection } from './cluster-connection.js';
import { isWorthReconnecting, toAppendError, toPlatformError } from './kafka-failure.js';
import type { KafkaAcks, KafkaCompression, KafkaSettings } from './kafka-options.js';
import { type Attempt, OrderedAppends } from './ordered-appends.js';

const acksOnWire: Readonly<Record<KafkaAcks, number>> = { all: -1, leader: 1, none: 0 };

const compressionOnWire: Readonly<Record<KafkaCompression, CompressionTypes>> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

/** Brokers answer that a topic is missing while they make it, because they were asked for it. */
const creationTries = 10;
const creationPauseMs = 100;

/**
 * Appends with one request per call, to the partition's leader. Not idempotent in Kafka's sense:
 * the order of a lane needs no sequence numbers while one batch is under way, and kafkajs reuses the
 * numbers of a batch whose outcome is unknown, so that brokers would drop the next one as its double.
 */
export class KafkaWriter {
  readonly #settings: KafkaSettings;
  readonly #connection: ClusterConnection;
  readonly #appends: OrderedAppends;

  constructor(settings: KafkaSettings, connection: ClusterConnection) {
    this.#settings = settings;
    this.#connection = connection;
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

  async #write(request: AppendRequest, attempt: Attempt): Promise<void> {
    const { topic, partition } = request;
    const action = `append to ${topic}/${partition}`;
    const cluster = this.#connection.get();
    let failure: PlatformError;
    try {
      const leader = await findLeader(cluster, topic, partition);
      if (attempt.expired) return;
      attempt.sent = true;
      await this.#produce(leader, request);
      return;
    } catch (error) {
      failure = attempt.sent ? toAppendError(error, action) : toPlatformError(error, action);
    }
    if (isWorthReconnecting(failure)) this.#connection.replace(cluster);
    throw failure;
  }

  async #produce(leader: Broker, { topic, partition, records }: AppendRequest): Promise<void> {
    const messages = records.map(({ key, value, headers }) => ({ key, value, headers }));
    await leader.produce({
      topicData: [{ topic, partitions: [{ partition, messages }] }],
      acks: acksOnWire[this.#settings.acks],
      timeout: this.#settings.writeTimeoutMs,
      compression: compressionOnWire[this.#settings.compression],
    });
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

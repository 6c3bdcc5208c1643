import { settlesWithin } from '@posthaste/contracts';
import type { Cluster, Kafka } from 'kafkajs';
import { createRangeAssignor } from '../group/kafkajs-assignors.js';
import type { KafkaSettings } from './kafka-options.js';
import { createKafkajsClient } from './kafkajs-client.js';

/** A cluster that does not let go within this time has lost its broker. */
const closeTimeoutMs = 3_000;

/**
 * The connections that records are written over. kafkajs mends broken ones, but some of its states
 * it does not leave, and a topic that went away spoils the metadata of all: so whoever fails asks for
 * new ones.
 */
export class ClusterConnection {
  readonly #settings: KafkaSettings;
  #current: Cluster | undefined;
  readonly #closing = new Set<Promise<unknown>>();

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
  }

  get(): Cluster {
    this.#current ??= openCluster(createKafkajsClient(this.#settings), this.#settings);
    return this.#current;
  }

  /** Lets go of the cluster; requests under way on it are answered first. */
  replace(failed: Cluster): void {
    if (failed !== this.#current) return;
    this.#current = undefined;
    const closed = settlesWithin(failed.disconnect(), closeTimeoutMs);
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  async close(): Promise<void> {
    if (this.#current) this.replace(this.#current);
    await Promise.all(this.#closing);
  }
}

/**
 * kafkajs shows its cluster (brokers, metadata, requests) to assignors only, so this one belongs to
 * a consumer that never runs. Its own producer would do, were it possible to take back what it has
 * not sent yet: it connects and refreshes metadata on the way, and sends however late that ends.
 */
function openCluster(kafka: Kafka, { createTopics, topicRefreshMs }: KafkaSettings): Cluster {
  const found: Cluster[] = [];
  kafka.consumer({
    groupId: 'never-joined',
    allowAutoTopicCreation: createTopics,
    metadataMaxAge: topicRefreshMs,
    partitionAssigners: [
      (config) => {
        found.push(config.cluster);
        return createRangeAssignor(config);
      },
    ],
  });
  const [cluster] = found;
  if (!cluster) throw new Error('kafkajs did not ask for its assignor');
  return cluster;
}

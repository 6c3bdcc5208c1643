import { settlesWithin } from '@posthaste/contracts';
import type { Cluster } from 'kafkajs';
import type { KafkaSettings } from './kafka-options.js';
import { createKafkajsClient } from './kafkajs-client.js';
import { createCluster } from './kafkajs-internals.js';

/** Longest time to wait for a cluster object to disconnect, in ms. */
const closeTimeoutMs = 3_000;

/**
 * The cluster object of kafkajs (brokers, metadata, connections) over which records are written.
 * kafkajs recovers from most failures, but not from all of its states, and metadata that names a
 * deleted topic makes every request fail: so the caller of a failed request replaces the object
 * with a new one.
 *
 * It is used in place of kafkajs's producer, from which a record cannot be taken back: the producer
 * connects and refreshes metadata on the way, and then sends however late that is.
 */
export class ClusterConnection {
  readonly #settings: KafkaSettings;
  #current: Cluster | undefined;
  readonly #closing = new Set<Promise<unknown>>();

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
  }

  get(): Cluster {
    const { createTopics, topicRefreshMs } = this.#settings;
    this.#current ??= createCluster(createKafkajsClient(this.#settings), {
      allowAutoTopicCreation: createTopics,
      metadataMaxAge: topicRefreshMs,
    });
    return this.#current;
  }

  /** Makes `get` return a new object. The failed one is closed after its requests in flight. */
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

import { PlatformError } from '@posthaste/contracts';
import type {
  AppendRequest,
  Driver,
  DriverSubscription,
  GroupLag,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../driver.js';
import { ClusterConnection } from './cluster-connection.js';
import { KafkaObserver } from './kafka-observer.js';
import {
  type KafkaDriverOptions,
  type KafkaSettings,
  resolveKafkaOptions,
} from './kafka-options.js';
import { KafkaSubscription } from './kafka-subscription.js';
import { KafkaWriter } from './kafka-writer.js';

/**
 * Kafka, through kafkajs. Nothing is connected before it is needed.
 * @throws PlatformError `OPTION_INVALID`
 */
export function createKafkaDriver(options: KafkaDriverOptions): Driver {
  return new KafkaDriver(resolveKafkaOptions(options));
}

class KafkaDriver implements Driver {
  readonly #settings: KafkaSettings;
  readonly #connection: ClusterConnection;
  readonly #writer: KafkaWriter;
  readonly #observer: KafkaObserver;
  readonly #subscriptions = new Set<DriverSubscription>();
  #closed = false;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
    this.#connection = new ClusterConnection(settings);
    this.#writer = new KafkaWriter(settings, this.#connection);
    this.#observer = new KafkaObserver(settings);
  }

  async partitionCount(topic: string): Promise<number> {
    this.#assertOpen();
    return this.#writer.partitionCount(topic);
  }

  async append(request: AppendRequest): Promise<void> {
    this.#assertOpen();
    await this.#writer.append(request);
  }

  subscribe(request: SubscriptionRequest, handler: SubscriptionHandler): DriverSubscription {
    this.#assertOpen();
    const subscription = new KafkaSubscription({ settings: this.#settings, request, handler });
    this.#subscriptions.add(subscription);
    return {
      commit: (offsets) => subscription.commit(offsets),
      close: async () => {
        await subscription.close();
        this.#subscriptions.delete(subscription);
      },
    };
  }

  async lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    this.#assertOpen();
    return this.#observer.lag(topic, groupId);
  }

  async ping(): Promise<void> {
    this.#assertOpen();
    await this.#observer.ping();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    await Promise.all([this.#connection.close(), this.#observer.close()]);
  }

  #assertOpen(): void {
    if (this.#closed) throw new PlatformError('STREAM_CLOSED', 'the driver was closed');
  }
}

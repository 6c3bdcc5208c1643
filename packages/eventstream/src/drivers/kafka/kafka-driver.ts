import { PlatformError } from '@posthaste/contracts';
import type {
  AppendRequest,
  Driver,
  DriverSubscription,
  GroupLag,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../driver.js';
import {
  type GroupSession,
  KafkaSubscription,
  type SubscriptionMemory,
} from './group/kafka-subscription.js';

/** What a client library has to bring along. */
export interface KafkaClient {
  partitionCount(topic: string): Promise<number>;
  append(request: AppendRequest): Promise<void>;
  createSession(
    request: SubscriptionRequest,
    handler: SubscriptionHandler,
    memory: SubscriptionMemory,
  ): GroupSession;
  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]>;
  ping(): Promise<void>;
  /** Called once, when no session runs any more. */
  close(): Promise<void>;
}

/** Kafka, through whichever client library. */
export class KafkaDriver implements Driver {
  readonly #client: KafkaClient;
  readonly #subscriptions = new Set<DriverSubscription>();
  #closed: Promise<void> | undefined;

  constructor(client: KafkaClient) {
    this.#client = client;
  }

  async partitionCount(topic: string): Promise<number> {
    this.#assertOpen();
    return this.#client.partitionCount(topic);
  }

  async append(request: AppendRequest): Promise<void> {
    this.#assertOpen();
    await this.#client.append(request);
  }

  subscribe(request: SubscriptionRequest, handler: SubscriptionHandler): DriverSubscription {
    this.#assertOpen();
    const subscription = new KafkaSubscription({
      request,
      handler,
      createSession: (memory) => this.#client.createSession(request, handler, memory),
    });
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
    return this.#client.lag(topic, groupId);
  }

  async ping(): Promise<void> {
    this.#assertOpen();
    await this.#client.ping();
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    await this.#client.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new PlatformError('STREAM_CLOSED', 'the driver was closed');
  }
}

/**
 * The driver for Kafka, through either of two client libraries (docs/decisions/0008): kafkajs in
 * this folder, @platformatic/kafka in ../platformatic.
 *
 * - Appending: `KafkaDriver.append`, then the writer of the library (produce/kafkajs-writer.ts).
 * - Consuming: `KafkaDriver.subscribe`, then a `KafkaSubscription` (group/kafka-subscription.ts),
 *   whose sessions (kafkajs-session.ts) join the group and fetch records (fetch/fetch-response.ts).
 * - Committing: group/kafka-subscription.ts says how.
 * - Lag and health: the admin client of the library (kafkajs-admin.ts).
 *
 * A folder imports only from those before it: wire, connection, produce and group, fetch. What both
 * libraries share is kafka-driver.ts, kafka-options.ts, kafka-errors.ts, ordered-appends.ts,
 * aborted-transactions.ts and, of group/, all files but kafkajs-assignors.ts and
 * group-coordinator.ts: none of these loads kafkajs.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type {
  AppendRequest,
  Driver,
  DriverSubscription,
  GroupLag,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../driver.js';
import type { KafkaSettings } from './connection/kafka-options.js';
import {
  type GroupSession,
  KafkaSubscription,
  type SessionContext,
} from './group/kafka-subscription.js';

/** Tries until a topic exists: brokers that create it on request report it missing at first. */
const creationTries = 10;
const creationPauseMs = 100;

/** The part of a driver that depends on the client library. */
export interface KafkaClient {
  /** Asks the brokers to create a missing topic if `createTopics` is set. @throws PlatformError */
  partitionCount(topic: string): Promise<number>;
  append(request: AppendRequest): Promise<void>;
  createSession(context: SessionContext): GroupSession;
  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]>;
  ping(): Promise<void>;
  /** Called once, after the last session has ended. */
  close(): Promise<void>;
}

/** A driver for Kafka through the client library that it is given. */
export class KafkaDriver implements Driver {
  readonly #settings: KafkaSettings;
  readonly #client: KafkaClient;
  readonly #subscriptions = new Set<DriverSubscription>();
  #closed: Promise<void> | undefined;

  constructor(settings: KafkaSettings, client: KafkaClient) {
    this.#settings = settings;
    this.#client = client;
  }

  async partitionCount(topic: string): Promise<number> {
    this.#assertOpen();
    for (let tries = 1; ; tries++) {
      try {
        return await this.#client.partitionCount(topic);
      } catch (error) {
        const isMissing = error instanceof PlatformError && error.code === 'TOPIC_NOT_FOUND';
        if (!isMissing || !this.#settings.createTopics || tries === creationTries) throw error;
      }
      await sleep(creationPauseMs);
    }
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
      heartbeatIntervalMs: this.#settings.heartbeatIntervalMs,
      createSession: (context) => this.#client.createSession(context),
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

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Admin,
  type ITopicConfig,
  Kafka,
  logLevel,
  type Producer,
  type Transaction,
} from 'kafkajs';
import { expect, vi } from 'vitest';
import { type Driver, offsetBeginning, type SubscriptionRequest } from '../src/driver.js';
import type { OutgoingRecord } from '../src/record.js';
import { appendTo } from './conformance-target.js';

export const appendTimeoutMs = 10_000;

/** Time for the coordinator to write the end of a transaction, in ms. */
const markerMs = 300;
const leaderWaitOptions = { timeout: 30_000, interval: 20 };

export function uniqueName(): string {
  return `test-${randomUUID()}`;
}

export function toRecord(value: string): OutgoingRecord {
  return { key: Buffer.from('key'), value: Buffer.from(value), headers: {} };
}

/**
 * Appends until it succeeds, as publishers do: a broker may not know yet that it leads a new topic.
 * @param target topic, whose partition 0 is meant, or topic and partition
 */
export async function append(
  driver: Driver,
  target: string | { readonly topic: string; readonly partition: number },
  values: readonly string[],
): Promise<void> {
  const place = typeof target === 'string' ? { topic: target, partition: 0 } : target;
  await appendTo(driver, { ...place, records: values.map(toRecord) });
}

/** Returns a request. Default: from the beginning of the topic, in a new group. */
export function toSubscription(
  topic: string,
  request: Partial<SubscriptionRequest> = {},
): SubscriptionRequest {
  return {
    topic,
    groupId: uniqueName(),
    groupInstanceId: undefined,
    startOffset: offsetBeginning,
    drainMs: 5_000,
    ...request,
  };
}

/** Calls `work` with an admin client of kafkajs. */
export async function administer<Result>(
  brokers: string[],
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

export interface TestTransaction {
  readonly values: readonly string[];
  readonly ending: 'commit' | 'abort';
}

/**
 * Appends in transactions of one producer, one after the other. Every value is a batch of its own.
 */
export async function appendInTransactions(
  brokers: string[],
  topic: string,
  transactions: readonly TestTransaction[],
): Promise<void> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ transactionalId: uniqueName(), maxInFlightRequests: 1 });
  await producer.connect();
  try {
    for (const { values, ending } of transactions) {
      const transaction = await producer.transaction();
      for (const value of values) {
        await transaction.send({ topic, messages: [{ value, partition: 0 }] });
      }
      await transaction[ending]();
    }
  } finally {
    await producer.disconnect();
  }
}

/** One step of a producer in its transaction: a value, which is a batch of its own, or the end. */
export interface TransactionStep {
  readonly producer: string;
  readonly value?: string;
  readonly ending?: 'commit' | 'abort';
}

/** Appends in transactions of several producers at the same time. */
export async function appendInterleaved(
  brokers: string[],
  topic: string,
  steps: readonly TransactionStep[],
): Promise<void> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const producers = new Map<string, Producer>();
  const transactions = new Map<string, Transaction>();
  try {
    for (const { producer: name, value, ending } of steps) {
      const options = { transactionalId: uniqueName(), maxInFlightRequests: 1 };
      const producer = producers.get(name) ?? kafka.producer(options);
      if (!producers.has(name)) await producer.connect();
      producers.set(name, producer);
      const transaction = transactions.get(name) ?? (await producer.transaction());
      transactions.set(name, transaction);
      if (value !== undefined)
        await transaction.send({ topic, messages: [{ value, partition: 0 }] });
      if (ending === undefined) continue;
      await transaction[ending]();
      transactions.delete(name);
      // The coordinator writes the end to the partition a little later.
      await sleep(markerMs);
    }
  } finally {
    await Promise.all([...producers.values()].map((producer) => producer.disconnect()));
  }
}

/** Creates a topic and waits until each of its partitions has a leader. Returns its name. */
export async function createTopic(
  brokers: string[],
  options: Partial<ITopicConfig> = {},
): Promise<string> {
  const { replicaAssignment } = options;
  const numPartitions = replicaAssignment ? -1 : 1;
  const topic = { topic: uniqueName(), numPartitions, ...options };
  await administer(brokers, async (admin) => {
    // kafkajs can wait, too, but fails if the broker does not know the topic yet.
    await admin.createTopics({ topics: [topic], waitForLeaders: false });
    await vi.waitFor(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic.topic] });
      const led = topics[0]?.partitions.filter(({ leader }) => leader >= 0);
      expect(led).toHaveLength(replicaAssignment?.length ?? topic.numPartitions);
    }, leaderWaitOptions);
  });
  return topic.topic;
}

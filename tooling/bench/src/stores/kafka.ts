import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { startKafka } from '@posthaste/testbed';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { cpuSeconds } from '../process-usage.js';
import type { StoreFacts } from './store.js';

/** Kafka's defaults, where those of the testbed are smaller; and a fast removal of deleted topics. */
const brokerSettings = {
  'num.network.threads': '3',
  'num.io.threads': '8',
  'log.segment.delete.delay.ms': '1000',
};

const leaderTries = 100;
const leaderPauseMs = 100;

/** Kafka server that all contenders of a run share. */
export interface StreamServer {
  readonly brokers: readonly string[];
  readonly facts: StoreFacts;
  /** Returns the CPU seconds of the broker; NaN if its process is not visible. */
  cpuSeconds(): number;
  /** Creates a topic, by default with a new name. Resolves to its name. */
  createTopic(partitions: number, topic?: string): Promise<string>;
  deleteTopic(topic: string): Promise<void>;
  /** Returns the number of records in a topic. */
  countRecords(topic: string): Promise<number>;
  /** Returns the number of records of a topic that a group has not committed. */
  uncommitted(topic: string, groupId: string): Promise<number>;
  close(): Promise<void>;
}

/** Starts a new Kafka. @throws Error if it cannot be started */
export async function startKafkaServer(): Promise<StreamServer> {
  const broker = await startKafka({ own: true, settings: brokerSettings, quickStart: false });
  const admin = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return {
    brokers: broker.brokers,
    facts: { kind: broker.kind, server_version: versionOf(await broker.log()), ...brokerSettings },
    cpuSeconds: () => (broker.pid === undefined ? Number.NaN : cpuSeconds(broker.pid)),
    async createTopic(partitions, topic = `bench-${randomUUID()}`) {
      const topics = [{ topic, numPartitions: partitions }];
      await admin.createTopics({ topics, waitForLeaders: false });
      await awaitLeaders(admin, topic);
      return topic;
    },
    deleteTopic: (topic) => deleteTopic(admin, topic),
    async countRecords(topic) {
      const ends = await admin.fetchTopicOffsets(topic);
      return ends.reduce((sum, { high }) => sum + Number(high), 0);
    },
    uncommitted: (topic, groupId) => countUncommitted(admin, topic, groupId),
    async close() {
      await admin.disconnect();
      await broker.close();
    },
  };
}

/** Waits until the partitions have leaders. kafkajs would fail on a topic that is just being created. */
async function awaitLeaders(admin: Admin, topic: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      // This asks the leader of each partition.
      await admin.fetchTopicOffsets(topic);
      return;
    } catch (error) {
      if (tries === leaderTries) throw error;
    }
    await sleep(leaderPauseMs);
  }
}

/**
 * Deletes a topic. kafkajs reads the metadata after the deletion, and deletes once more if that fails:
 * then the broker no longer knows the topic, which is what was asked for.
 */
async function deleteTopic(admin: Admin, topic: string): Promise<void> {
  try {
    await admin.deleteTopics({ topics: [topic] });
  } catch (error) {
    if (!isUnknownTopic(error)) throw error;
  }
}

function isUnknownTopic(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isUnknown = 'type' in error && error.type === 'UNKNOWN_TOPIC_OR_PARTITION';
  return isUnknown || isUnknownTopic(error.cause);
}

async function countUncommitted(admin: Admin, topic: string, groupId: string): Promise<number> {
  const ends = await admin.fetchTopicOffsets(topic);
  const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
  const offsets = new Map(committed?.partitions.map((each) => [each.partition, each.offset]));
  return ends.reduce((sum, { partition, high }) => {
    // -1 means that nothing was committed.
    return sum + Number(high) - Math.max(0, Number(offsets.get(partition) ?? 0));
  }, 0);
}

function versionOf(log: string): string {
  return /Kafka version: (\S+)/.exec(log)?.[1] ?? '';
}

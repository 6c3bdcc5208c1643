import { settlesWithin } from '@posthaste/contracts';
import type { Admin } from 'kafkajs';
import type { GroupLag } from '../../driver.js';
import { toPlatformError } from './connection/kafka-errors.js';
import type { KafkaSettings } from './connection/kafka-options.js';
import { createKafkajsClient } from './connection/kafkajs-client.js';
import { consumerProtocol, hasCommitted, toGroupLag } from './group/group-lag.js';
import type { OffsetRange } from './group/group-offsets.js';

const closeTimeoutMs = 3_000;

/** Asks the brokers about groups and about themselves, over one connection that is kept. */
export class KafkajsAdmin {
  readonly #settings: KafkaSettings;
  #admin: Promise<Admin> | undefined;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
  }

  async ping(): Promise<void> {
    await this.#ask('reach Kafka', (admin) => admin.describeCluster());
  }

  async lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return this.#ask(`read the lag of ${topic}`, async (admin) => {
      const ranges = await readRanges(admin, topic);
      const lagOf = async (id: string): Promise<GroupLag> =>
        toGroupLag(id, topic, ranges, await readCommitted(admin, topic, id));
      if (groupId !== undefined) return [await lagOf(groupId)];
      const { groups } = await admin.listGroups();
      const lags: GroupLag[] = [];
      for (const group of groups) {
        if (group.protocolType === consumerProtocol) lags.push(await lagOf(group.groupId));
      }
      return lags.filter(hasCommitted);
    });
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await disconnect(admin);
  }

  async #ask<Answer>(action: string, question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    this.#admin ??= this.#connect();
    const admin = this.#admin;
    try {
      return await question(await admin);
    } catch (error) {
      // Whatever state it is in now, the next question starts with a new connection.
      if (this.#admin === admin) this.#admin = undefined;
      void disconnect(admin);
      throw toPlatformError(error, action);
    }
  }

  async #connect(): Promise<Admin> {
    const admin = createKafkajsClient(this.#settings).admin();
    await admin.connect();
    return admin;
  }
}

async function disconnect(admin: Promise<Admin> | undefined): Promise<void> {
  const connected = await admin?.catch(() => undefined);
  if (connected) await settlesWithin(connected.disconnect(), closeTimeoutMs);
}

async function readRanges(admin: Admin, topic: string): Promise<Map<number, OffsetRange>> {
  const found = await admin.fetchTopicOffsets(topic);
  return new Map(
    found.map(({ partition, low, high }) => [partition, { first: BigInt(low), end: BigInt(high) }]),
  );
}

async function readCommitted(
  admin: Admin,
  topic: string,
  groupId: string,
): Promise<Map<number, bigint>> {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  return new Map(found?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
}

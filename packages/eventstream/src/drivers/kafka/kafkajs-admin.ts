import { settlesWithin } from '@posthaste/contracts';
import type { Admin } from 'kafkajs';
import type { GroupLag } from '../../driver.js';
import { toPlatformError } from './connection/kafka-errors.js';
import type { KafkaSettings } from './connection/kafka-options.js';
import { createKafkajsClient } from './connection/kafkajs-client.js';
import {
  consumerProtocolType,
  hasCommitted,
  type OffsetRange,
  toGroupLag,
} from './group/group-offsets.js';

const closeTimeoutMs = 3_000;

/** A client that asks brokers for their health and for the lag of groups. Connections are kept. */
export class KafkajsAdmin {
  readonly #settings: KafkaSettings;
  #admin: Promise<Admin> | undefined;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
  }

  async ping(): Promise<void> {
    await this.#request('reach Kafka', (admin) => admin.describeCluster());
  }

  async lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return this.#request(`read the lag of ${topic}`, async (admin) => {
      const ranges = await readRanges(admin, topic);
      const lagOf = async (id: string): Promise<GroupLag> => {
        const committed = await readCommitted(admin, topic, id);
        return toGroupLag({ groupId: id, topic, ranges, committed });
      };
      if (groupId !== undefined) return [await lagOf(groupId)];
      const { groups } = await admin.listGroups();
      const lags: GroupLag[] = [];
      for (const group of groups) {
        if (group.protocolType === consumerProtocolType) lags.push(await lagOf(group.groupId));
      }
      return lags.filter(hasCommitted);
    });
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await disconnect(admin);
  }

  async #request<Result>(
    action: string,
    request: (admin: Admin) => Promise<Result>,
  ): Promise<Result> {
    this.#admin ??= this.#connect();
    const admin = this.#admin;
    try {
      return await request(await admin);
    } catch (error) {
      // Whatever state the client is in now, the next request opens a new one.
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

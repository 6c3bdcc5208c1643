import type { Admin } from 'kafkajs';
import type { GroupLag, PartitionLag } from '../../driver.js';
import { connectKafka } from './connect.js';
import { toPlatformError } from './kafka-failure.js';
import type { KafkaSettings } from './kafka-options.js';
import { settlesWithin } from './settle.js';

const closeTimeoutMs = 3_000;

/** Type of the groups of consumers, among others such as those of Connect. */
const consumerProtocol = 'consumer';

interface PartitionEnds {
  readonly partition: number;
  readonly low: string;
  readonly high: string;
}

/** Asks the brokers about groups and about themselves, over one connection that is kept. */
export class KafkaObserver {
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
      const ends = await admin.fetchTopicOffsets(topic);
      if (groupId !== undefined) return [await readGroupLag(admin, topic, groupId, ends)];
      const { groups } = await admin.listGroups();
      const lags: GroupLag[] = [];
      for (const group of groups.filter(({ protocolType }) => protocolType === consumerProtocol)) {
        const lag = await readGroupLag(admin, topic, group.groupId, ends);
        if (lag.partitions.some(({ committed }) => committed !== undefined)) lags.push(lag);
      }
      return lags;
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
    const admin = connectKafka(this.#settings).admin();
    await admin.connect();
    return admin;
  }
}

async function disconnect(admin: Promise<Admin> | undefined): Promise<void> {
  const connected = await admin?.catch(() => undefined);
  if (connected) await settlesWithin(connected.disconnect(), closeTimeoutMs);
}

async function readGroupLag(
  admin: Admin,
  topic: string,
  groupId: string,
  ends: readonly PartitionEnds[],
): Promise<GroupLag> {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  const committed = new Map(
    found?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]),
  );
  const partitions = [...ends].sort((a, b) => a.partition - b.partition);
  return {
    groupId,
    topic,
    partitions: partitions.map((end) => toPartitionLag(end, committed.get(end.partition))),
  };
}

function toPartitionLag(
  { partition, low, high }: PartitionEnds,
  offset: bigint | undefined,
): PartitionLag {
  const end = BigInt(high);
  const committed = offset === undefined || offset < 0n ? undefined : offset;
  const unread = end - (committed ?? BigInt(low));
  return { partition, committed, end, lag: unread > 0n ? unread : 0n };
}

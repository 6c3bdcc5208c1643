import { Admin, ListOffsetTimestamps } from '@platformatic/kafka';
import type { GroupLag } from '../../driver.js';
import { toPlatformError } from '../kafka/connection/kafka-errors.js';
import type { KafkaSettings } from '../kafka/connection/kafka-options.js';
import {
  consumerProtocolType,
  hasCommitted,
  type OffsetRange,
  toGroupLag,
} from '../kafka/group/group-offsets.js';
import { closeWithin, readTopic, toClientOptions } from './platformatic-client.js';

/** A client that asks brokers for their health and for the lag of groups. Connections are kept. */
export class PlatformaticAdmin {
  readonly #settings: KafkaSettings;
  #admin: Admin | undefined;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
  }

  async ping(): Promise<void> {
    await this.#request('reach Kafka', (admin) =>
      admin.metadata({ topics: [], forceUpdate: true }),
    );
  }

  async lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return this.#request(`read the lag of ${topic}`, async (admin) => {
      const ranges = await readRanges(admin, topic);
      const partitions = [...ranges.keys()];
      const lagOf = async (id: string): Promise<GroupLag> => {
        const committed = await readCommitted(admin, id, { topic, partitions });
        return toGroupLag({ groupId: id, topic, ranges, committed });
      };
      if (groupId !== undefined) return [await lagOf(groupId)];
      const lags: GroupLag[] = [];
      for (const id of await listGroups(admin)) lags.push(await lagOf(id));
      return lags.filter(hasCommitted);
    });
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    if (admin) await closeWithin(admin);
  }

  async #request<Result>(
    action: string,
    request: (admin: Admin) => Promise<Result>,
  ): Promise<Result> {
    this.#admin ??= new Admin(toClientOptions(this.#settings));
    const admin = this.#admin;
    try {
      return await request(admin);
    } catch (error) {
      // Whatever state the client is in now, the next request opens a new one.
      if (this.#admin === admin) this.#admin = undefined;
      void closeWithin(admin);
      throw toPlatformError(error, action);
    }
  }
}

async function listGroups(admin: Admin): Promise<string[]> {
  const groups = [...(await admin.listGroups()).values()];
  return groups
    .filter(({ protocolType }) => protocolType === consumerProtocolType)
    .map(({ id }) => id);
}

async function readRanges(admin: Admin, topic: string): Promise<Map<number, OffsetRange>> {
  const { partitionsCount } = await readTopic(admin, topic);
  const indexes = Array.from({ length: partitionsCount }, (_, index) => index);
  const list = async (timestamp: bigint): Promise<Map<number, bigint>> => {
    const partitions = indexes.map((partitionIndex) => ({ partitionIndex, timestamp }));
    const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
    return new Map(found?.partitions.map((one) => [one.partitionIndex, one.offset]));
  };
  const firsts = await list(ListOffsetTimestamps.EARLIEST);
  const ends = await list(ListOffsetTimestamps.LATEST);
  return new Map(
    indexes.map((index) => [index, { first: firsts.get(index) ?? 0n, end: ends.get(index) ?? 0n }]),
  );
}

async function readCommitted(
  admin: Admin,
  groupId: string,
  { topic, partitions }: { readonly topic: string; readonly partitions: number[] },
): Promise<Map<number, bigint>> {
  const topics = [{ name: topic, partitionIndexes: partitions }];
  const [found] = await admin.listConsumerGroupOffsets({ groups: [{ groupId, topics }] });
  const committed = found?.topics.find(({ name }) => name === topic)?.partitions ?? [];
  return new Map(committed.map((one) => [one.partitionIndex, one.committedOffset]));
}

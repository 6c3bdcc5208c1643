import { Admin, ListOffsetTimestamps } from '@platformatic/kafka';
import type { GroupLag } from '../../driver.js';
import { toPlatformError } from '../kafka/connection/kafka-errors.js';
import type { KafkaSettings } from '../kafka/connection/kafka-options.js';
import { consumerProtocol, hasCommitted, toGroupLag } from '../kafka/group/group-lag.js';
import type { OffsetRange } from '../kafka/group/group-offsets.js';
import { closeWithin, readTopic } from './client-requests.js';
import { toClientOptions } from './platformatic-client.js';

/** Asks the brokers about groups and about themselves, over connections that are kept. */
export class PlatformaticAdmin {
  readonly #settings: KafkaSettings;
  #admin: Admin | undefined;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
  }

  async ping(): Promise<void> {
    await this.#ask('reach Kafka', (admin) => admin.metadata({ topics: [], forceUpdate: true }));
  }

  async lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return this.#ask(`read the lag of ${topic}`, async (admin) => {
      const ranges = await readRanges(admin, topic);
      const ids = groupId === undefined ? await listGroups(admin) : [groupId];
      const lags: GroupLag[] = [];
      for (const id of ids) {
        lags.push(toGroupLag(id, topic, ranges, await readCommitted(admin, topic, id, ranges)));
      }
      return groupId === undefined ? lags.filter(hasCommitted) : lags;
    });
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    if (admin) await closeWithin(admin);
  }

  async #ask<Answer>(action: string, question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    this.#admin ??= new Admin(toClientOptions(this.#settings));
    const admin = this.#admin;
    try {
      return await question(admin);
    } catch (error) {
      // Whatever state it is in now, the next question starts with new connections.
      if (this.#admin === admin) this.#admin = undefined;
      void closeWithin(admin);
      throw toPlatformError(error, action);
    }
  }
}

async function listGroups(admin: Admin): Promise<string[]> {
  const groups = [...(await admin.listGroups()).values()];
  return groups.filter(({ protocolType }) => protocolType === consumerProtocol).map(({ id }) => id);
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
  topic: string,
  groupId: string,
  ranges: ReadonlyMap<number, OffsetRange>,
): Promise<Map<number, bigint>> {
  const topics = [{ name: topic, partitionIndexes: [...ranges.keys()] }];
  const [found] = await admin.listConsumerGroupOffsets({ groups: [{ groupId, topics }] });
  const partitions = found?.topics.find(({ name }) => name === topic)?.partitions ?? [];
  return new Map(partitions.map((one) => [one.partitionIndex, one.committedOffset]));
}

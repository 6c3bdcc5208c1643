import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConnectionPool,
  type Consumer,
  type FetchOptions,
  findErrorBy,
  ListOffsetTimestamps,
  type Offsets,
} from '@platformatic/kafka';
import { settlesWithin } from '@posthaste/contracts';
import type { SubscriptionHandler } from '../../driver.js';
import { toPlatformError } from '../kafka/connection/kafka-errors.js';
import type { KafkaSettings } from '../kafka/connection/kafka-options.js';
import type { PartitionAssignment } from '../kafka/group/partition-assignment.js';
import { readTopic } from './client-requests.js';
import { toClientOptions } from './platformatic-client.js';
import { positionAfter, toRecords } from './platformatic-record.js';

const maxFetchBytes = 10_485_760;
/** Longer than this, and fetching goes on without the partitions whose records are in hand. */
const patienceMs = 50;
const retryMs = 200;
/** Failures in a row after which another consumer is tried. */
const maxFailures = 25;

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;
type FetchedTopic = FetchOptions<Buffer, Buffer, Buffer, Buffer>['topics'][number];

export interface PartitionFetcherOptions {
  readonly settings: KafkaSettings;
  readonly topic: string;
  readonly handler: SubscriptionHandler;
  readonly consumer: Consumer;
  /** Called, and waited for, when the topic has gained partitions. */
  readonly onGrown: () => Promise<void>;
}

/** Fetches the partitions of one assignment after the other, at positions that it keeps itself. */
export class PartitionFetcher {
  readonly #options: PartitionFetcherOptions;
  /** Of its own: what follows a fetch on a connection waits as long as the fetch does. */
  readonly #connections: ConnectionPool;

  constructor(options: PartitionFetcherOptions) {
    this.#options = options;
    const { clientId } = options.settings;
    this.#connections = new ConnectionPool(clientId, toClientOptions(options.settings));
  }

  /** Until the assignment is over. @throws what does not pass */
  async run(held: PartitionAssignment): Promise<void> {
    const inHand = new Set<number>();
    const { partitionsCount } = await this.#readTopic();
    let failures = 0;
    while (held.partitions.some((partition) => held.acceptsRecords(partition))) {
      try {
        await this.#fetchOnce(held, inHand);
        failures = 0;
        const grown = (await this.#readTopic()).partitionsCount > partitionsCount;
        if (grown) return await this.#options.onGrown();
      } catch (error) {
        if (held.isEnded) return;
        await this.#afterFailure(error, held, ++failures);
      }
    }
  }

  async close(): Promise<void> {
    await settlesWithin(this.#connections.close(), retryMs);
  }

  #readTopic(): ReturnType<typeof readTopic> {
    return readTopic(this.#options.consumer, this.#options.topic);
  }

  /** One request to each broker that leads partitions that may bring more. */
  async #fetchOnce(held: PartitionAssignment, inHand: Set<number>): Promise<void> {
    const { settings } = this.#options;
    const ready = held.partitions.filter((partition) => !inHand.has(partition));
    if (ready.length === 0) return sleep(patienceMs);
    const { id, partitions } = await this.#readTopic();
    const byLeader = Map.groupBy(ready, (partition) => partitions[partition]?.leader ?? -1);
    const fetches = [...byLeader].map(async ([node, led]) => {
      const response = await this.#options.consumer.fetch({
        node,
        topics: [{ topicId: id, partitions: led.map((one) => this.#toRequest(held, one)) }],
        maxWaitTime: settings.fetchWaitMs,
        maxBytes: maxFetchBytes,
        connectionPool: this.#connections,
      });
      const handled = this.#handOn(response, held, led, inHand);
      await settlesWithin(handled, patienceMs);
    });
    const [failed] = (await Promise.allSettled(fetches)).filter(
      ({ status }) => status === 'rejected',
    );
    if (failed?.status === 'rejected') throw failed.reason;
  }

  #toRequest(held: PartitionAssignment, partition: number): FetchedTopic['partitions'][number] {
    return {
      partition,
      fetchOffset: held.positions.get(partition) ?? 0n,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: this.#options.settings.maxPartitionBytes,
    };
  }

  /** Resolves when the handler has taken everything. */
  async #handOn(
    { responses }: FetchResponse,
    held: PartitionAssignment,
    requested: readonly number[],
    inHand: Set<number>,
  ): Promise<void> {
    const { topic, handler } = this.#options;
    const answers = responses.flatMap(({ partitions }) => partitions);
    const handled = answers.map(async ({ partitionIndex: partition, records: batches }) => {
      const position = held.positions.get(partition);
      if (!batches || position === undefined || !requested.includes(partition)) return;
      const next = positionAfter(batches);
      if (next === undefined || !held.acceptsRecords(partition)) return;
      held.positions.set(partition, next);
      const records = toRecords(topic, partition, batches, position);
      if (records.length === 0) return;
      inHand.add(partition);
      await handler.records(partition, records).catch(() => undefined);
      inHand.delete(partition);
    });
    await Promise.all(handled);
  }

  async #afterFailure(error: unknown, held: PartitionAssignment, failures: number): Promise<void> {
    const { topic, handler } = this.#options;
    if (findErrorBy(error as Error, 'apiId', 'OFFSET_OUT_OF_RANGE')) {
      await this.#returnIntoRange(held);
      return;
    }
    const failure = toPlatformError(error, `fetch ${topic}`);
    if (!failure.retryable || failures === maxFailures) throw failure;
    if (failures === 1) handler.interrupted(failure);
    await sleep(retryMs);
  }

  /** Records that were not read are gone: reading goes on at the oldest that is left. */
  async #returnIntoRange(held: PartitionAssignment): Promise<void> {
    const { topic, consumer } = this.#options;
    const list = (timestamp: bigint): Promise<Offsets> =>
      consumer.listOffsets({ topics: [topic], timestamp });
    const [first, end] = await Promise.all([
      list(ListOffsetTimestamps.EARLIEST),
      list(ListOffsetTimestamps.LATEST),
    ]);
    for (const [partition, position] of held.positions) {
      const oldest = first.get(topic)?.[partition];
      const newest = end.get(topic)?.[partition];
      if (oldest === undefined || newest === undefined) continue;
      if (position < oldest || position > newest) held.positions.set(partition, oldest);
    }
  }
}

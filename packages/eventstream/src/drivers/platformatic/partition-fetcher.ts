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
import { readTopic, toClientOptions } from './platformatic-client.js';
import { positionAfter, toRecords } from './platformatic-record.js';

const maxFetchBytes = 10_485_760;
/** Longest wait for a handler, in ms. Fetching then goes on without its partitions. */
const handlerWaitMs = 50;
const retryMs = 200;
/** Failed fetches in a row after which the session ends and another consumer is tried. */
const maxFailures = 25;

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;
type PartitionResponse = FetchResponse['responses'][number]['partitions'][number];
type PartitionRequest = FetchOptions<
  Buffer,
  Buffer,
  Buffer,
  Buffer
>['topics'][number]['partitions'][number];

export interface PartitionFetcherOptions {
  readonly settings: KafkaSettings;
  readonly topic: string;
  readonly handler: SubscriptionHandler;
  readonly consumer: Consumer;
  /** Called, and waited for, when the topic has got more partitions. */
  readonly onPartitionsAdded: () => Promise<void>;
}

/** One assignment, and its partitions whose records the handler has not finished. */
interface Reading {
  readonly assignment: PartitionAssignment;
  readonly busy: Set<number>;
}

/** A loop that fetches the partitions of one assignment after the other, at their positions. */
export class PartitionFetcher {
  readonly #options: PartitionFetcherOptions;
  /** Connections of its own: on one connection, a request waits for the fetch before it. */
  readonly #connections: ConnectionPool;

  constructor(options: PartitionFetcherOptions) {
    this.#options = options;
    const { clientId } = options.settings;
    this.#connections = new ConnectionPool(clientId, toClientOptions(options.settings));
  }

  /**
   * Fetches until the assignment is revoked or lost.
   * @throws an error that another fetch cannot solve
   */
  async run(assignment: PartitionAssignment): Promise<void> {
    const reading: Reading = { assignment, busy: new Set() };
    const { partitionsCount } = await this.#readTopic();
    let failures = 0;
    while (assignment.partitions.some((partition) => assignment.acceptsRecords(partition))) {
      try {
        await this.#fetchOnce(reading);
        failures = 0;
        const hasMore = (await this.#readTopic()).partitionsCount > partitionsCount;
        if (hasMore) return await this.#options.onPartitionsAdded();
      } catch (error) {
        if (assignment.isEnded) return;
        failures += 1;
        if (findErrorBy(error as Error, 'apiId', 'OFFSET_OUT_OF_RANGE')) {
          await this.#returnIntoRange(assignment);
        } else {
          await this.#waitAfterFailure(error, failures);
        }
      }
    }
  }

  async close(): Promise<void> {
    await settlesWithin(this.#connections.close(), retryMs);
  }

  #readTopic(): ReturnType<typeof readTopic> {
    return readTopic(this.#options.consumer, this.#options.topic);
  }

  /** Sends one request to each broker that leads partitions whose handler is not busy. */
  async #fetchOnce(reading: Reading): Promise<void> {
    const { assignment, busy } = reading;
    const ready = assignment.partitions.filter((partition) => !busy.has(partition));
    if (ready.length === 0) return sleep(handlerWaitMs);
    const topic = await this.#readTopic();
    const byLeader = Map.groupBy(ready, (partition) => topic.partitions[partition]?.leader ?? -1);
    const fetches = [...byLeader].map(async ([node, led]) => {
      const requests = led.map((partition) => this.#toRequest(assignment, partition));
      const { responses } = await this.#options.consumer.fetch({
        node,
        topics: [{ topicId: topic.id, partitions: requests }],
        maxWaitTime: this.#options.settings.fetchWaitMs,
        maxBytes: maxFetchBytes,
        connectionPool: this.#connections,
      });
      const requested = responses
        .flatMap(({ partitions }) => partitions)
        .filter(({ partitionIndex }) => led.includes(partitionIndex));
      const handled = requested.map((response) => this.#handle(response, reading));
      await settlesWithin(Promise.all(handled), handlerWaitMs);
    });
    const [failed] = (await Promise.allSettled(fetches)).filter(
      ({ status }) => status === 'rejected',
    );
    if (failed?.status === 'rejected') throw failed.reason;
  }

  #toRequest(assignment: PartitionAssignment, partition: number): PartitionRequest {
    return {
      partition,
      fetchOffset: assignment.positions.get(partition) ?? 0n,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: this.#options.settings.maxPartitionBytes,
    };
  }

  /** Passes the records of one partition to the handler. Resolves when it has finished them. */
  async #handle(response: PartitionResponse, { assignment, busy }: Reading): Promise<void> {
    const { topic, handler } = this.#options;
    const { partitionIndex: partition, records: batches } = response;
    const position = assignment.positions.get(partition);
    if (!batches || position === undefined) return;
    const next = positionAfter(batches);
    if (next === undefined || !assignment.acceptsRecords(partition)) return;
    assignment.positions.set(partition, next);
    const abortedTransactions = response.abortedTransactions ?? [];
    const records = toRecords({ topic, partition, batches, abortedTransactions }, position);
    if (records.length === 0) {
      handler.advanced?.(partition, next);
      return;
    }
    busy.add(partition);
    const handled = handler.records(partition, records);
    handler.advanced?.(partition, next);
    await handled.catch(() => undefined);
    busy.delete(partition);
  }

  async #waitAfterFailure(error: unknown, failures: number): Promise<void> {
    const { topic, handler } = this.#options;
    const failure = toPlatformError(error, `fetch ${topic}`);
    if (!failure.retryable || failures === maxFailures) throw failure;
    if (failures === 1) handler.interrupted(failure);
    await sleep(retryMs);
  }

  /** Moves positions whose records were deleted unread to the oldest record that is left. */
  async #returnIntoRange(assignment: PartitionAssignment): Promise<void> {
    const { topic, consumer, handler } = this.#options;
    const list = (timestamp: bigint): Promise<Offsets> =>
      consumer.listOffsets({ topics: [topic], timestamp });
    const [first, end] = await Promise.all([
      list(ListOffsetTimestamps.EARLIEST),
      list(ListOffsetTimestamps.LATEST),
    ]);
    for (const [partition, position] of assignment.positions) {
      const oldest = first.get(topic)?.[partition];
      const newest = end.get(topic)?.[partition];
      if (oldest === undefined || newest === undefined) continue;
      if (position < oldest) handler.recordsLost?.(partition, { from: position, to: oldest });
      if (position < oldest || position > newest) assignment.positions.set(partition, oldest);
    }
  }
}

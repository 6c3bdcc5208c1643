import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { Cluster, Consumer } from 'kafkajs';
import type { SubscriptionHandler, SubscriptionRequest } from '../../driver.js';
import type { KafkaSettings } from './connection/kafka-options.js';
import { createKafkajsClient, OpenSockets } from './connection/kafkajs-client.js';
import { BatchQueue } from './fetch/batch-queue.js';
import { decodeFetchResponses } from './fetch/fetch-response.js';
import { ConsumerAssignments } from './group/consumer-assignments.js';
import { watchGroup } from './group/group-coordinator.js';
import { readOffsetRanges, toStartOffset } from './group/group-offsets.js';
import type { GroupSession, SubscriptionMemory } from './group/kafka-subscription.js';
import { createRangeAssignor, createRoundRobinAssignor } from './group/kafkajs-assignors.js';
import { commitOffsets } from './group/member-requests.js';
import type { GroupGeneration } from './group/membership.js';

/** Batches handled side by side. kafkajs reads on when all are done, so none is waited for long. */
const concurrentBatches = 32;
/** Time for the other members to come back in a rebalance, beside the drain. */
const rejoinMs = 30_000;
/** Time to let a join that is under way end before the connections go. */
const joinEndMs = 2_000;
/** Time for kafkajs to leave the group and to close its connections by itself. */
const disconnectMs = 2_000;

export interface GroupSessionOptions {
  readonly settings: KafkaSettings;
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly memory: SubscriptionMemory;
}

/** The life of one kafkajs consumer, from its first connection until it crashes or is closed. */
export class KafkajsSession implements GroupSession {
  readonly #options: GroupSessionOptions;
  readonly #member: ConsumerAssignments;
  readonly #sockets = new OpenSockets();
  readonly #consumer: Consumer;
  readonly #ended = Promise.withResolvers<unknown>();
  #started: Promise<void> = Promise.resolve();
  #membership: GroupGeneration | undefined;
  #closing = false;

  constructor(options: GroupSessionOptions) {
    this.#options = options;
    const { request, handler, settings } = options;
    const { heartbeatIntervalMs } = settings;
    this.#member = new ConsumerAssignments({ request, handler, heartbeatIntervalMs });
    this.#consumer = this.#createConsumer();
  }

  async run(): Promise<unknown> {
    this.#started = this.#start().catch((error: unknown) => this.#ended.resolve(error));
    const reason = await this.#ended.promise;
    this.#member.lose();
    await this.#disconnect();
    return reason;
  }

  commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    return this.#member.commit(offsets);
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#member.revoke();
    this.#ended.resolve(undefined);
  }

  #createConsumer(): Consumer {
    const { settings, request } = this.#options;
    return createKafkajsClient(settings, this.#sockets).consumer({
      groupId: request.groupId,
      allowAutoTopicCreation: false,
      sessionTimeout: settings.sessionTimeoutMs,
      rebalanceTimeout: Math.max(request.drainMs + rejoinMs, settings.sessionTimeoutMs),
      heartbeatInterval: settings.heartbeatIntervalMs,
      maxWaitTimeInMs: settings.fetchWaitMs,
      metadataMaxAge: settings.topicRefreshMs,
      maxBytesPerPartition: settings.maxPartitionBytes,
      // A consumer that crashed is replaced, not restarted: its states after a crash are many.
      retry: { restartOnFailure: async () => false },
      partitionAssigners: [
        (config) => {
          decodeFetchResponses(config.cluster);
          this.#watch(config.cluster);
          return createRangeAssignor(config);
        },
        createRoundRobinAssignor,
      ],
    });
  }

  async #start(): Promise<void> {
    const { handler, request } = this.#options;
    const { topic } = request;
    const consumer = this.#consumer;
    const { events } = consumer;
    const intake = new BatchQueue({
      topic,
      handler,
      consumer,
      assignment: () => this.#member.current,
    });
    consumer.on(events.CRASH, ({ payload }) => this.#ended.resolve(payload.error));
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      this.#onJoined(payload.memberAssignment[topic] ?? []);
    });
    consumer.on(events.START_BATCH_PROCESS, ({ payload }) => {
      // Only markers of transactions, or what was compacted: kafkajs goes past it without asking.
      if (payload.batchSize > 0) return;
      this.#member.current?.positions.set(payload.partition, BigInt(payload.lastOffset) + 1n);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: concurrentBatches,
      eachBatch: (payload) => intake.push(payload),
    });
  }

  #onJoined(partitions: readonly number[]): void {
    if (!this.#membership || this.#closing) return;
    const { topic } = this.#options.request;
    // Paused for a handler that does not matter any more.
    for (const partition of partitions) this.#consumer.resume([{ topic, partitions: [partition] }]);
    this.#member.begin(this.#membership, partitions);
  }

  #watch(cluster: Cluster): void {
    const { request, memory } = this.#options;
    watchGroup(cluster, {
      topic: request.topic,
      groupInstanceId: request.groupInstanceId,
      beforeJoin: () => this.#beforeJoin(cluster),
      formerMemberId: () => memory.memberId,
      memberForgotten: () => {
        memory.memberId = undefined;
      },
      joined: (membership, memberId) => {
        this.#membership = membership;
        memory.memberId = memberId;
      },
      offsetsFetched: (committed) => {
        for (const { partition, offset } of partitionsOf(request.topic, committed)) {
          if (BigInt(offset) >= 0n) this.#member.current?.positions.set(partition, BigInt(offset));
        }
      },
    });
    const readRanges = cluster.fetchTopicsOffset.bind(cluster);
    // Asked for the partitions that the group has no offset of, or one that is out of range.
    cluster.fetchTopicsOffset = async (topics) => {
      const partitions = partitionsOf(request.topic, topics).map(({ partition }) => partition);
      return [{ topic: request.topic, partitions: await this.#begin(readRanges, partitions) }];
    };
  }

  async #beforeJoin(cluster: Cluster): Promise<void> {
    await this.#member.revoke();
    if (this.#closing) throw new PlatformError('STREAM_CLOSED', 'the subscription was closed');
    const { memory, request } = this.#options;
    memory.initialPartitions ??= cluster.findTopicPartitionMetadata(request.topic).length;
  }

  /**
   * Chooses where to begin, and commits it before a record is read: else what fails before the first
   * commit of its partition would be skipped by whoever begins at the end after it.
   */
  async #begin(
    readRanges: Cluster['fetchTopicsOffset'],
    partitions: readonly number[],
  ): Promise<{ partition: number; offset: string }[]> {
    const { request, memory } = this.#options;
    const { current } = this.#member;
    if (!current) throw new PlatformError('STREAM_ASSIGNMENT_LOST', 'a rebalance came in between');
    const ranges = await readOffsetRanges(readRanges, request.topic, partitions);
    const starts = new Map<number, bigint>();
    for (const [partition, range] of ranges) {
      const wasRead = current.positions.has(partition);
      const isNew = partition >= (memory.initialPartitions ?? 0);
      starts.set(partition, toStartOffset(request.startOffset, range, wasRead || isNew));
    }
    await commitOffsets(current, request.topic, starts);
    for (const [partition, offset] of starts) current.positions.set(partition, offset);
    return [...starts].map(([partition, offset]) => ({ partition, offset: `${offset}` }));
  }

  async #disconnect(): Promise<void> {
    // kafkajs does not stop what has not started: it would join after it was closed.
    await settlesWithin(this.#started, joinEndMs);
    await settlesWithin(this.#consumer.disconnect(), disconnectMs);
    this.#sockets.destroy();
  }
}

function partitionsOf<Partition>(
  topic: string,
  topics: readonly { readonly topic: string; readonly partitions: readonly Partition[] }[],
): Partition[] {
  return topics.filter((found) => found.topic === topic).flatMap(({ partitions }) => partitions);
}

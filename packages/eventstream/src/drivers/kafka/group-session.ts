import { PlatformError } from '@posthaste/contracts';
import type { Cluster, Consumer } from 'kafkajs';
import type { SubscriptionHandler, SubscriptionRequest } from '../../driver.js';
import { connectKafka } from './connect.js';
import { createRangeAssignor, createRoundRobinAssignor } from './group-assignors.js';
import { type Membership, watchGroup } from './group-coordinator.js';
import { GroupMember } from './group-member.js';
import type { KafkaSettings } from './kafka-options.js';
import { commitOffsets } from './member-requests.js';
import { OpenSockets } from './open-sockets.js';
import { settlesWithin } from './settle.js';
import { readOffsetRanges, toStartOffset } from './start-offsets.js';

/** Batches handled side by side. kafkajs reads on when all are done, so none is waited for long. */
const concurrentBatches = 32;
/** Time for the other members to come back in a rebalance, beside the drain. */
const rejoinMs = 30_000;
/** Time to let a join that is under way end before the connections go. */
const joinEndMs = 2_000;
/** Time for kafkajs to leave the group and to close its connections by itself. */
const disconnectMs = 2_000;

/** What a subscription remembers from one consumer to the next. */
export interface SubscriptionMemory {
  /** Partitions that the topic had when it was first looked at; 0: it was missing. */
  initialPartitions: number | undefined;
  /** Its place in the group, from joining until it has left. */
  memberId: string | undefined;
}

export interface GroupSessionOptions {
  readonly settings: KafkaSettings;
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly memory: SubscriptionMemory;
}

/** The life of one kafkajs consumer, from its first connection until it crashes or is closed. */
export class GroupSession {
  readonly #options: GroupSessionOptions;
  readonly #member: GroupMember;
  readonly #sockets = new OpenSockets();
  readonly #consumer: Consumer;
  readonly #ended = Promise.withResolvers<unknown>();
  #started: Promise<void> = Promise.resolve();
  #membership: Membership | undefined;
  #closing = false;

  constructor(options: GroupSessionOptions) {
    this.#options = options;
    const { request, handler, settings } = options;
    const { topic } = request;
    this.#member = new GroupMember({
      request,
      handler,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      control: {
        resume: (partition) => this.#consumer.resume([{ topic, partitions: [partition] }]),
        seek: (partition, offset) => this.#consumer.seek({ topic, partition, offset: `${offset}` }),
      },
    });
    this.#consumer = this.#createConsumer();
  }

  /** Resolves when it is over: with the reason, or undefined when it was closed. Never rejects. */
  async run(): Promise<unknown> {
    this.#started = this.#start().catch((error: unknown) => this.#ended.resolve(error));
    const reason = await this.#ended.promise;
    this.#member.lose();
    await this.#disconnect();
    return reason;
  }

  /** @throws PlatformError `STREAM_ASSIGNMENT_LOST`, `STREAM_UNAVAILABLE` */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    return this.#member.commit(offsets);
  }

  /** Gives up what is held; `run` leaves the group and resolves then. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#member.giveUp();
    this.#ended.resolve(undefined);
  }

  #createConsumer(): Consumer {
    const { settings, request } = this.#options;
    return connectKafka(settings, this.#sockets).consumer({
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
          this.#watch(config.cluster);
          return createRangeAssignor(config);
        },
        createRoundRobinAssignor,
      ],
    });
  }

  async #start(): Promise<void> {
    const { topic } = this.#options.request;
    const { events } = this.#consumer;
    this.#consumer.on(events.CRASH, ({ payload }) => this.#ended.resolve(payload.error));
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      const partitions = payload.memberAssignment[topic] ?? [];
      if (this.#membership && !this.#closing) this.#member.joined(this.#membership, partitions);
    });
    this.#consumer.on(events.START_BATCH_PROCESS, ({ payload }) => {
      // Only markers of transactions, or what was compacted: kafkajs goes past it without asking.
      if (payload.batchSize > 0) return;
      this.#member.learnPosition(payload.partition, BigInt(payload.lastOffset) + 1n);
    });
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [topic], fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: concurrentBatches,
      eachBatch: (payload) => this.#member.take(payload),
    });
  }

  #watch(cluster: Cluster): void {
    const { request, memory } = this.#options;
    watchGroup(cluster, {
      groupInstanceId: request.groupInstanceId,
      beforeJoin: () => this.#beforeJoin(cluster),
      formerMemberId: () => memory.memberId,
      forgotten: () => {
        memory.memberId = undefined;
      },
      joined: (membership) => {
        this.#membership = membership;
        memory.memberId = membership.memberId;
      },
      offsetsRead: (committed) => {
        for (const { partition, offset } of partitionsOf(request.topic, committed)) {
          if (BigInt(offset) >= 0n) this.#member.learnPosition(partition, BigInt(offset));
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
    await this.#member.giveUp();
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
    const { held } = this.#member;
    if (!held) throw new PlatformError('STREAM_ASSIGNMENT_LOST', 'a rebalance came in between');
    const ranges = await readOffsetRanges(readRanges, request.topic, partitions);
    const starts = new Map<number, bigint>();
    for (const [partition, range] of ranges) {
      const wasRead = held.positions.has(partition);
      const isNew = partition >= (memory.initialPartitions ?? 0);
      starts.set(partition, toStartOffset(request.startOffset, range, wasRead || isNew));
    }
    await commitOffsets(held, request, starts);
    for (const [partition, offset] of starts) held.positions.set(partition, offset);
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

import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { Cluster, Consumer } from 'kafkajs';
import type { KafkaSettings } from './connection/kafka-options.js';
import { createKafkajsClient, OpenSockets } from './connection/kafkajs-client.js';
import { BatchDispatcher } from './fetch/batch-dispatcher.js';
import { decodeFetchResponses } from './fetch/fetch-response.js';
import { watchGroup } from './group/group-coordinator.js';
import { readOffsetRanges, toStartOffset } from './group/group-offsets.js';
import type { GroupSession, SessionContext } from './group/kafka-subscription.js';
import { createRangeAssignor, createRoundRobinAssignor } from './group/kafkajs-assignors.js';
import type { GroupGeneration } from './group/partition-assignment.js';

/** Batches handled at a time. kafkajs fetches again when all are done, so none must wait long. */
const concurrentBatches = 32;
/** Time for the other members to join again in a rebalance, in ms, in addition to `drainMs`. */
const rejoinMs = 30_000;
/** Longest wait for a join in progress to end before the connections are closed, in ms. */
const joinEndMs = 2_000;
/** Longest wait for kafkajs to leave the group and to close its connections, in ms. */
const disconnectMs = 2_000;

/** The life of one consumer of kafkajs, from its first connection until it crashes or is closed. */
export class KafkajsSession implements GroupSession {
  readonly #settings: KafkaSettings;
  readonly #context: SessionContext;
  readonly #sockets = new OpenSockets();
  readonly #consumer: Consumer;
  readonly #ended = Promise.withResolvers<unknown>();
  #started: Promise<void> = Promise.resolve();
  /** Generation of the last join. Its partitions come later, with the event GROUP_JOIN. */
  #generation: GroupGeneration | undefined;
  /** True when the session accepts no more joins. */
  #isEnding = false;

  constructor(settings: KafkaSettings, context: SessionContext) {
    this.#settings = settings;
    this.#context = context;
    this.#consumer = this.#createConsumer();
  }

  async run(): Promise<unknown> {
    this.#started = this.#start().catch((error: unknown) => this.#ended.resolve(error));
    const reason = await this.#ended.promise;
    this.#isEnding = true;
    this.#sockets.isEnding = true;
    this.#context.assignments.end();
    await this.#disconnect();
    return reason;
  }

  async close(): Promise<void> {
    this.#isEnding = true;
    this.#sockets.isEnding = true;
    await this.#context.assignments.revoke();
    this.#ended.resolve(undefined);
  }

  #createConsumer(): Consumer {
    const settings = this.#settings;
    const { request } = this.#context;
    return createKafkajsClient(settings, this.#sockets).consumer({
      groupId: request.groupId,
      allowAutoTopicCreation: false,
      sessionTimeout: settings.sessionTimeoutMs,
      rebalanceTimeout: Math.max(request.drainMs + rejoinMs, settings.sessionTimeoutMs),
      heartbeatInterval: settings.heartbeatIntervalMs,
      maxWaitTimeInMs: settings.fetchWaitMs,
      metadataMaxAge: settings.topicRefreshMs,
      maxBytesPerPartition: settings.maxPartitionBytes,
      // A crashed consumer is replaced by a new session: its states after a crash are many.
      retry: { restartOnFailure: async () => false },
      partitionAssigners: [
        // The one place at which kafkajs shows a consumer's cluster object.
        (config) => {
          decodeFetchResponses(config.cluster);
          this.#watchGroup(config.cluster);
          return createRangeAssignor(config);
        },
        createRoundRobinAssignor,
      ],
    });
  }

  async #start(): Promise<void> {
    const { handler, request, assignments } = this.#context;
    const { topic } = request;
    const consumer = this.#consumer;
    const { events } = consumer;
    const dispatcher = new BatchDispatcher({
      topic,
      handler,
      consumer,
      assignment: () => assignments.current,
    });
    consumer.on(events.CRASH, ({ payload }) => this.#ended.resolve(payload.error));
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      this.#onAssigned(payload.memberAssignment[topic] ?? []);
    });
    consumer.on(events.START_BATCH_PROCESS, ({ payload }) => {
      // No record, but control or compacted ones: kafkajs skips the batch without eachBatch.
      if (payload.batchSize > 0) return;
      const { partition, lastOffset } = payload;
      const next = BigInt(lastOffset) + 1n;
      assignments.current?.positions.set(partition, next);
      if (assignments.current?.acceptsRecords(partition)) handler.advanced?.(partition, next);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: concurrentBatches,
      eachBatch: (payload) => dispatcher.dispatch(payload),
    });
  }

  #onAssigned(partitions: readonly number[]): void {
    if (!this.#generation || this.#isEnding) return;
    const { request, assignments } = this.#context;
    const { topic } = request;
    // A partition may still be paused for a batch of an earlier assignment.
    for (const partition of partitions) this.#consumer.resume([{ topic, partitions: [partition] }]);
    assignments.begin(this.#generation, partitions);
  }

  #watchGroup(cluster: Cluster): void {
    const { request, state, assignments } = this.#context;
    watchGroup(cluster, {
      topic: request.topic,
      groupInstanceId: request.groupInstanceId,
      beforeJoin: () => this.#beforeJoin(cluster),
      formerMemberId: () => state.memberId,
      memberForgotten: () => {
        state.memberId = undefined;
      },
      joined: (generation, memberId) => {
        this.#generation = generation;
        state.memberId = memberId;
      },
      offsetsFetched: (committed) => {
        for (const { partition, offset } of partitionsOf(request.topic, committed)) {
          if (BigInt(offset) >= 0n) assignments.current?.positions.set(partition, BigInt(offset));
        }
      },
    });
    const fetchTopicsOffset = cluster.fetchTopicsOffset.bind(cluster);
    // kafkajs asks for partitions of which the group has no offset, or one that is out of range.
    cluster.fetchTopicsOffset = async (topics) => {
      const partitions = partitionsOf(request.topic, topics).map(({ partition }) => partition);
      const starts = await this.#chooseStarts(fetchTopicsOffset, partitions);
      return [{ topic: request.topic, partitions: starts }];
    };
  }

  async #beforeJoin(cluster: Cluster): Promise<void> {
    const { request, state, assignments } = this.#context;
    await assignments.revoke();
    if (this.#isEnding) throw new PlatformError('STREAM_CLOSED', 'the consumer was closed');
    state.initialPartitions ??= cluster.findTopicPartitionMetadata(request.topic).length;
  }

  /**
   * Chooses the offsets at which reading starts, and commits them before a record is read.
   * Otherwise a record that fails before the first commit of its partition would be skipped by the
   * next consumer, if that starts at the end.
   */
  async #chooseStarts(
    fetchTopicsOffset: Cluster['fetchTopicsOffset'],
    partitions: readonly number[],
  ): Promise<{ partition: number; offset: string }[]> {
    const { request, handler, state, assignments } = this.#context;
    const assignment = assignments.current;
    if (!assignment) {
      throw new PlatformError('STREAM_ASSIGNMENT_LOST', 'a rebalance began before reading');
    }
    const ranges = await readOffsetRanges(fetchTopicsOffset, request.topic, partitions);
    const starts = new Map<number, bigint>();
    for (const [partition, range] of ranges) {
      const position = assignment.positions.get(partition);
      const wasRead = position !== undefined;
      if (wasRead && position < range.first) {
        handler.recordsLost?.(partition, { from: position, to: range.first });
      }
      const isNew = partition >= (state.initialPartitions ?? 0);
      starts.set(partition, toStartOffset(request.startOffset, range, wasRead || isNew));
    }
    await assignments.commitAs(assignment, starts);
    for (const [partition, offset] of starts) assignment.positions.set(partition, offset);
    return [...starts].map(([partition, offset]) => ({ partition, offset: `${offset}` }));
  }

  async #disconnect(): Promise<void> {
    // kafkajs cannot stop a consumer that has not started: it would join after it was closed.
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

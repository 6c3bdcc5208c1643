import { Consumer, ListOffsetTimestamps, type Offsets } from '@platformatic/kafka';
import { PlatformError } from '@posthaste/contracts';
import { isFenced, toPlatformError } from '../kafka/connection/kafka-errors.js';
import type { KafkaSettings } from '../kafka/connection/kafka-options.js';
import { toStartOffset } from '../kafka/group/group-offsets.js';
import type { GroupSession, SessionContext } from '../kafka/group/kafka-subscription.js';
import type { PartitionAssignment } from '../kafka/group/partition-assignment.js';
import { PartitionFetcher } from './partition-fetcher.js';
import { closeWithin, readTopic, toClientOptions } from './platformatic-client.js';
import { assignPartitions, toGeneration } from './platformatic-group.js';

/** Time for the other members to join again in a rebalance, in ms, in addition to `drainMs`. */
const rejoinMs = 30_000;
/** Retries by the library: mostly of a join during another rebalance. */
const retries = 2;
const retryDelayMs = 200;

/**
 * The life of one consumer of @platformatic/kafka, from its first connection until it fails or is
 * closed. Its membership and its requests are used, but not its stream of messages: that has no
 * hook for revoking partitions, and starts at committed offsets only.
 */
export class PlatformaticSession implements GroupSession {
  readonly #settings: KafkaSettings;
  readonly #context: SessionContext;
  readonly #consumer: Consumer;
  readonly #fetcher: PartitionFetcher;
  readonly #ended = Promise.withResolvers<unknown>();
  /** True once `close` was called, and not after a failure. */
  #closing = false;
  #hasEnded = false;

  constructor(settings: KafkaSettings, context: SessionContext) {
    const { request, handler } = context;
    this.#settings = settings;
    this.#context = context;
    this.#consumer = this.#createConsumer();
    this.#fetcher = new PartitionFetcher({
      settings,
      handler,
      topic: request.topic,
      consumer: this.#consumer,
      onPartitionsAdded: async () => {
        await this.#consumer.joinGroup();
      },
    });
  }

  async run(): Promise<unknown> {
    const { assignments, state } = this.#context;
    this.#start().catch((error: unknown) => this.#ended.resolve(error));
    const reason = await this.#ended.promise;
    this.#hasEnded = true;
    if (isFenced(reason)) state.memberId = undefined;
    assignments.end();
    await this.#disconnect();
    return reason;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#context.assignments.revoke();
    this.#ended.resolve(undefined);
  }

  #createConsumer(): Consumer {
    const { request, assignments } = this.#context;
    const { sessionTimeoutMs, heartbeatIntervalMs } = this.#settings;
    return new Consumer({
      ...toClientOptions(this.#settings),
      groupId: request.groupId,
      ...(request.groupInstanceId === undefined
        ? {}
        : { groupInstanceId: request.groupInstanceId }),
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(request.drainMs + rejoinMs, sessionTimeoutMs),
      heartbeatInterval: heartbeatIntervalMs,
      heartbeatStallTimeout: sessionTimeoutMs,
      protocols: [
        { name: 'range', version: 0 },
        { name: 'roundrobin', version: 0 },
      ],
      partitionAssigner: assignPartitions,
      // The library calls this before every join and waits for it: the place to revoke partitions.
      protocolsMetadata: async () => {
        await assignments.revoke();
        // A consumer that could not be closed would go on joining, each time in a new generation.
        if (this.#hasEnded) throw new PlatformError('STREAM_CLOSED', 'the session has ended');
        return Buffer.alloc(0);
      },
      retries,
      retryDelay: retryDelayMs,
      autocommit: false,
    });
  }

  async #start(): Promise<void> {
    const { request, handler, assignments, state } = this.#context;
    const consumer = this.#consumer;
    consumer.on('consumer:group:join', ({ memberId, generationId = 0, assignments: all = [] }) => {
      state.memberId = memberId;
      const own = all.find(({ topic }) => topic === request.topic);
      const generation = toGeneration(consumer, { topic: request.topic, memberId, generationId });
      const assignment = assignments.begin(generation, own?.partitions ?? []);
      if (assignment) this.#read(assignment).catch((error: unknown) => this.#ended.resolve(error));
    });
    consumer.on('error', (error: unknown) => this.#ended.resolve(error));
    consumer.on('consumer:heartbeat:error', ({ error }) => {
      handler.interrupted(toPlatformError(error, `stay in the group ${request.groupId}`));
    });
    consumer.on('consumer:heartbeat:stalled', ({ lastError }) => this.#ended.resolve(lastError));
    const { partitionsCount } = await readTopic(consumer, request.topic);
    state.initialPartitions ??= partitionsCount;
    consumer.topics.track(request.topic);
    consumer.memberId = state.memberId ?? null;
    if (!this.#closing) await consumer.joinGroup();
  }

  async #read(assignment: PartitionAssignment): Promise<void> {
    if (assignment.partitions.length === 0) return;
    try {
      await this.#chooseStarts(assignment);
      await this.#fetcher.run(assignment);
    } catch (error) {
      if (!assignment.isEnded) throw error;
    }
  }

  /**
   * Starts at committed offsets; for other partitions chooses an offset, and commits it before a
   * record is read. Otherwise a record that fails before the first commit of its partition would be
   * skipped by the next consumer, if that starts at the end.
   */
  async #chooseStarts(assignment: PartitionAssignment): Promise<void> {
    const { request, state, assignments } = this.#context;
    const { topic } = request;
    const topics = [{ topic, partitions: [...assignment.partitions] }];
    const committed = (await this.#consumer.listCommittedOffsets({ topics })).get(topic) ?? [];
    const list = (timestamp: bigint): Promise<Offsets> =>
      this.#consumer.listOffsets({ topics: [topic], timestamp });
    const firsts = (await list(ListOffsetTimestamps.EARLIEST)).get(topic) ?? [];
    const ends = (await list(ListOffsetTimestamps.LATEST)).get(topic) ?? [];
    const starts = new Map<number, bigint>();
    for (const partition of assignment.partitions) {
      const known = committed[partition] ?? -1n;
      const range = { first: firsts[partition] ?? 0n, end: ends[partition] ?? 0n };
      const isNew = partition >= (state.initialPartitions ?? 0);
      const start = known >= 0n ? known : toStartOffset(request.startOffset, range, isNew);
      if (known < 0n) starts.set(partition, start);
      assignment.positions.set(partition, start);
    }
    if (starts.size > 0) await assignments.commitAs(assignment, starts);
  }

  async #disconnect(): Promise<void> {
    const { request, state } = this.#context;
    // A static member comes back: leaving would start the rebalance that it is meant to avoid.
    if (request.groupInstanceId !== undefined) this.#consumer.memberId = null;
    await Promise.all([closeWithin(this.#consumer), this.#fetcher.close()]);
    if (this.#closing) state.memberId = undefined;
  }
}

import { Consumer, ListOffsetTimestamps, type Offsets } from '@platformatic/kafka';
import type { SubscriptionHandler, SubscriptionRequest } from '../../driver.js';
import { isFenced, toPlatformError } from '../kafka/connection/kafka-errors.js';
import type { KafkaSettings } from '../kafka/connection/kafka-options.js';
import { ConsumerAssignments } from '../kafka/group/consumer-assignments.js';
import { toStartOffset } from '../kafka/group/group-offsets.js';
import type { GroupSession, SubscriptionMemory } from '../kafka/group/kafka-subscription.js';
import { commitOffsets } from '../kafka/group/member-requests.js';
import type { PartitionAssignment } from '../kafka/group/partition-assignment.js';
import { assignTopics } from './assign-topics.js';
import { closeWithin, readTopic } from './client-requests.js';
import { PartitionFetcher } from './partition-fetcher.js';
import { toClientOptions } from './platformatic-client.js';
import { toGeneration } from './platformatic-group.js';

/** Time for the other members to come back in a rebalance, beside the drain. */
const rejoinMs = 30_000;
/** What fails is tried again by the library, so often: above all a join into another rebalance. */
const retries = 2;
const retryDelayMs = 200;

export interface PlatformaticSessionOptions {
  readonly settings: KafkaSettings;
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly memory: SubscriptionMemory;
}

/**
 * The life of one consumer of @platformatic/kafka. Of it the membership is used, and the requests;
 * not its stream, which has no place for giving up partitions, nor for positions that were not
 * committed.
 */
export class PlatformaticSession implements GroupSession {
  readonly #options: PlatformaticSessionOptions;
  readonly #member: ConsumerAssignments;
  readonly #consumer: Consumer;
  readonly #fetcher: PartitionFetcher;
  readonly #ended = Promise.withResolvers<unknown>();
  #closing = false;

  constructor(options: PlatformaticSessionOptions) {
    this.#options = options;
    const { settings, request, handler } = options;
    const { heartbeatIntervalMs } = settings;
    this.#member = new ConsumerAssignments({ request, handler, heartbeatIntervalMs });
    this.#consumer = this.#createConsumer();
    this.#fetcher = new PartitionFetcher({
      settings,
      handler,
      topic: request.topic,
      consumer: this.#consumer,
      onGrown: async () => {
        await this.#consumer.joinGroup();
      },
    });
  }

  async run(): Promise<unknown> {
    this.#start().catch((error: unknown) => this.#ended.resolve(error));
    const reason = await this.#ended.promise;
    if (isFenced(reason)) this.#options.memory.memberId = undefined;
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
    const { sessionTimeoutMs } = settings;
    return new Consumer({
      ...toClientOptions(settings),
      groupId: request.groupId,
      ...(request.groupInstanceId === undefined
        ? {}
        : { groupInstanceId: request.groupInstanceId }),
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(request.drainMs + rejoinMs, sessionTimeoutMs),
      heartbeatInterval: settings.heartbeatIntervalMs,
      heartbeatStallTimeout: sessionTimeoutMs,
      protocols: [
        { name: 'range', version: 0 },
        { name: 'roundrobin', version: 0 },
      ],
      partitionAssigner: assignTopics,
      // Asked for before every join, and waited for: the place to give up partitions.
      protocolsMetadata: async () => {
        await this.#member.revoke();
        return Buffer.alloc(0);
      },
      retries,
      retryDelay: retryDelayMs,
      autocommit: false,
    });
  }

  async #start(): Promise<void> {
    const { request, memory } = this.#options;
    const consumer = this.#consumer;
    consumer.on('consumer:group:join', ({ memberId, generationId = 0, assignments = [] }) => {
      memory.memberId = memberId;
      const own = assignments.find(({ topic }) => topic === request.topic);
      const membership = toGeneration(consumer, { topic: request.topic, memberId, generationId });
      const held = this.#member.begin(membership, own?.partitions ?? []);
      this.#read(held).catch((error: unknown) => this.#ended.resolve(error));
    });
    consumer.on('error', (error: unknown) => this.#ended.resolve(error));
    consumer.on('consumer:heartbeat:error', ({ error }) => {
      this.#options.handler.interrupted(
        toPlatformError(error, `stay in the group ${request.groupId}`),
      );
    });
    consumer.on('consumer:heartbeat:stalled', ({ lastError }) => this.#ended.resolve(lastError));
    const { partitionsCount } = await readTopic(consumer, request.topic);
    memory.initialPartitions ??= partitionsCount;
    consumer.topics.track(request.topic);
    consumer.memberId = memory.memberId ?? null;
    if (!this.#closing) await consumer.joinGroup();
  }

  async #read(held: PartitionAssignment): Promise<void> {
    if (held.partitions.length === 0) return;
    try {
      await this.#chooseStarts(held);
      await this.#fetcher.run(held);
    } catch (error) {
      if (!held.isEnded) throw error;
    }
  }

  /** Begins where the group has committed; elsewhere chooses, and commits that before it reads. */
  async #chooseStarts(held: PartitionAssignment): Promise<void> {
    const { request, memory } = this.#options;
    const { topic } = request;
    const topics = [{ topic, partitions: [...held.partitions] }];
    const committed = (await this.#consumer.listCommittedOffsets({ topics })).get(topic) ?? [];
    const list = (timestamp: bigint): Promise<Offsets> =>
      this.#consumer.listOffsets({ topics: [topic], timestamp });
    const firsts = (await list(ListOffsetTimestamps.EARLIEST)).get(topic) ?? [];
    const ends = (await list(ListOffsetTimestamps.LATEST)).get(topic) ?? [];
    const starts = new Map<number, bigint>();
    for (const partition of held.partitions) {
      const known = committed[partition] ?? -1n;
      const range = { first: firsts[partition] ?? 0n, end: ends[partition] ?? 0n };
      const isNew = partition >= (memory.initialPartitions ?? 0);
      const start = known >= 0n ? known : toStartOffset(request.startOffset, range, isNew);
      if (known < 0n) starts.set(partition, start);
      held.positions.set(partition, start);
    }
    if (starts.size > 0) await commitOffsets(held, topic, starts);
  }

  async #disconnect(): Promise<void> {
    const { request, memory } = this.#options;
    // A static member comes back: leaving would start the rebalance that it is there to avoid.
    if (request.groupInstanceId !== undefined) this.#consumer.memberId = null;
    await Promise.all([closeWithin(this.#consumer), this.#fetcher.close()]);
    if (this.#closing) memory.memberId = undefined;
  }
}

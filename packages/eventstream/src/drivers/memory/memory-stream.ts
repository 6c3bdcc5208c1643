import { PlatformError } from '@posthaste/contracts';
import type {
  AppendRequest,
  GroupLag,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../driver.js';
import type { OutgoingRecord, StoredRecord } from '../../record.js';
import { toHeaderList } from '../../record-headers.js';
import { ConsumerGroup } from './consumer-group.js';
import { FaultQueue, type InjectedFault } from './faults.js';
import type { MemorySubscription } from './memory-subscription.js';
import { PartitionLog } from './partition-log.js';

/** Options of a stream in memory. */
export interface MemoryStreamOptions {
  /** Partitions of topics that are created on first use. Default 4. */
  readonly partitions?: number;
  /** True if topics are created on first use; else `createTopic` must create them. Default true. */
  readonly createTopics?: boolean;
  /** Largest record in bytes, key, value and headers together. Default 1,048,576. */
  readonly maxRecordBytes?: number;
  /** Most records in one call of a consumer's handler. Default 500. */
  readonly batchSize?: number;
  /** Clock of the stream, in ms since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * A stream in the memory of this process, like a Kafka broker. Clients that share one see each
 * other's events. Tests use the methods to look into it and to make it fail.
 */
export class MemoryStream {
  readonly #options: Required<MemoryStreamOptions>;
  readonly #topics = new Map<string, readonly PartitionLog[]>();
  /** By topic, then by group id. */
  readonly #groups = new Map<string, Map<string, ConsumerGroup>>();
  readonly #appendFaults = new FaultQueue();
  readonly #commitFaults = new FaultQueue();
  #available = true;

  constructor(options: MemoryStreamOptions = {}) {
    this.#options = {
      partitions: options.partitions ?? 4,
      createTopics: options.createTopics ?? true,
      maxRecordBytes: options.maxRecordBytes ?? 1_048_576,
      batchSize: options.batchSize ?? 500,
      now: options.now ?? Date.now,
    };
  }

  /** Creates a topic. An existing one stays as it is. */
  createTopic(topic: string, partitions: number = this.#options.partitions): void {
    if (this.#topics.has(topic)) return;
    const logs = Array.from({ length: partitions }, (_, index) => new PartitionLog(topic, index));
    this.#topics.set(topic, logs);
    for (const group of this.#groupsOf(topic)) void group.rebalance();
  }

  /**
   * Returns all records of a topic, partition after partition. None if the topic does not exist.
   */
  records(topic: string): readonly StoredRecord[] {
    const logs = this.#topics.get(topic) ?? [];
    return logs.flatMap((log) => log.read(0n, Number(log.end)));
  }

  /** Returns the committed offsets of a group by partition. */
  committed(topic: string, groupId: string): ReadonlyMap<number, bigint> {
    return this.#groups.get(topic)?.get(groupId)?.committed ?? new Map();
  }

  /** Stops the stream: calls fail with `STREAM_UNAVAILABLE`, consumers get no records. */
  stop(): void {
    this.#available = false;
    const error = new PlatformError('STREAM_UNAVAILABLE', 'the stream is stopped');
    for (const group of this.#allGroups()) {
      for (const member of group.members) member.interrupt(error);
    }
  }

  /** Starts the stream again. */
  start(): void {
    this.#available = true;
    for (const log of [...this.#topics.values()].flat()) log.notifyWatchers();
  }

  /** Makes the next appends fail. */
  failAppends(fault: InjectedFault): void {
    this.#appendFaults.add(fault);
  }

  /** Makes the next commits fail. */
  failCommits(fault: InjectedFault): void {
    this.#commitFaults.add(fault);
  }

  /** Revokes all partitions of a group and assigns them again. */
  async rebalance(topic: string, groupId: string): Promise<void> {
    await this.#groups.get(topic)?.get(groupId)?.rebalance();
  }

  /** Lets the session of a partition's owner expire: it loses all partitions and joins again. */
  async expireOwner(topic: string, groupId: string, partition: number): Promise<void> {
    const group = this.#groups.get(topic)?.get(groupId);
    const owner = group?.members.find((member) => member.owns(partition));
    if (owner !== undefined) await group?.expel(owner);
  }

  /**
   * Returns the number of partitions.
   * @throws as `Driver.partitionCount`, also `TOPIC_NOT_FOUND`
   */
  partitionCount(topic: string): number {
    return this.#logsOf(topic).length;
  }

  /** Appends records. @throws as `Driver.append` */
  append({ topic, partition, records }: AppendRequest): void {
    const log = this.#logsOf(topic)[partition];
    if (log === undefined) {
      throw new PlatformError('TOPIC_NOT_FOUND', `topic '${topic}' has no partition ${partition}`);
    }
    const { maxRecordBytes, now } = this.#options;
    if (records.some((record) => recordBytes(record) > maxRecordBytes)) {
      throw new PlatformError('EVENT_TOO_LARGE', `a record is larger than ${maxRecordBytes} bytes`);
    }
    this.#appendFaults.run(topic, () => log.append(records, now()));
  }

  subscribe(request: SubscriptionRequest, handler: SubscriptionHandler): MemorySubscription {
    if (this.#options.createTopics) this.createTopic(request.topic);
    return this.#groupOf(request.topic, request.groupId).join(request, handler);
  }

  lag(topic: string, groupId?: string): readonly GroupLag[] {
    const lags = this.#groupsOf(topic).map((group) => group.lag());
    return groupId === undefined ? lags : lags.filter((lag) => lag.groupId === groupId);
  }

  /** @throws PlatformError `STREAM_UNAVAILABLE` while it is stopped */
  assertAvailable(): void {
    if (!this.#available) throw new PlatformError('STREAM_UNAVAILABLE', 'the stream is stopped');
  }

  #logsOf(topic: string): readonly PartitionLog[] {
    this.assertAvailable();
    if (this.#options.createTopics) this.createTopic(topic);
    const logs = this.#topics.get(topic);
    if (logs === undefined)
      throw new PlatformError(
        'TOPIC_NOT_FOUND',
        `topic '${topic}' does not exist; create it with createTopic`,
      );
    return logs;
  }

  #groupOf(topic: string, groupId: string): ConsumerGroup {
    const groups = this.#groups.get(topic) ?? new Map<string, ConsumerGroup>();
    this.#groups.set(topic, groups);
    const existing = groups.get(groupId);
    if (existing !== undefined) return existing;
    const group = new ConsumerGroup({
      groupId,
      topic,
      partitions: () => this.#topics.get(topic),
      batchSize: this.#options.batchSize,
      isAvailable: () => this.#available,
      commitFaults: this.#commitFaults,
    });
    groups.set(groupId, group);
    return group;
  }

  #groupsOf(topic: string): readonly ConsumerGroup[] {
    return [...(this.#groups.get(topic)?.values() ?? [])];
  }

  #allGroups(): readonly ConsumerGroup[] {
    return [...this.#groups.keys()].flatMap((topic) => this.#groupsOf(topic));
  }
}

function recordBytes(record: OutgoingRecord): number {
  return toHeaderList(record).reduce(
    (sum, { name, value }) => sum + Buffer.byteLength(name) + (value?.length ?? 0),
    (record.key?.length ?? 0) + (record.value?.length ?? 0),
  );
}

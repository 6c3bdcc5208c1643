import { PlatformError } from '@posthaste/contracts';
import type {
  AppendRequest,
  GroupLag,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../driver.js';
import type { OutgoingRecord, StoredRecord } from '../../record.js';
import { ConsumerGroup } from './consumer-group.js';
import { FaultQueue, type InjectedFault } from './faults.js';
import type { MemorySubscription } from './memory-subscription.js';
import { PartitionLog } from './partition-log.js';

export interface MemoryStreamOptions {
  /** Partitions of a topic that is made by being used. Default 4. */
  readonly partitions?: number;
  /** Makes a topic when it is first used. Default true; else `createTopic` must. */
  readonly createTopics?: boolean;
  /** Largest record, key, value and headers together. Default 1,048,576. */
  readonly maxRecordBytes?: number;
  /** Most records that a consumer gets in one call. Default 500. */
  readonly batchSize?: number;
  /** The clock of the stream, in milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * A stream in the memory of this process: what a broker is for Kafka. The clients that share one
 * see each other's events. The methods are for tests, which look inside it and make it fail.
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

  /** Makes a topic; one that exists stays as it is. */
  createTopic(topic: string, partitions: number = this.#options.partitions): void {
    if (this.#topics.has(topic)) return;
    const logs = Array.from({ length: partitions }, (_, index) => new PartitionLog(topic, index));
    this.#topics.set(topic, logs);
    for (const group of this.#groupsOf(topic)) void group.rebalance();
  }

  /** Everything in a topic, partition after partition. Empty when there is no such topic. */
  records(topic: string): readonly StoredRecord[] {
    const logs = this.#topics.get(topic) ?? [];
    return logs.flatMap((log) => log.read(0n, Number(log.end)));
  }

  /** Committed offsets of a group by partition. */
  committed(topic: string, groupId: string): ReadonlyMap<number, bigint> {
    return this.#groups.get(topic)?.get(groupId)?.committed ?? new Map();
  }

  /** The broker goes away: calls fail with `STREAM_UNAVAILABLE`, consumers get nothing. */
  stop(): void {
    this.#available = false;
    const error = new PlatformError('STREAM_UNAVAILABLE', 'the stream is stopped');
    for (const group of this.#allGroups()) {
      for (const member of group.members) member.interrupt(error);
    }
  }

  /** The broker comes back. */
  start(): void {
    this.#available = true;
    for (const log of [...this.#topics.values()].flat()) log.notifyReaders();
  }

  /** The next appends fail. */
  failAppends(fault: InjectedFault): void {
    this.#appendFaults.add(fault);
  }

  /** The next commits fail. */
  failCommits(fault: InjectedFault): void {
    this.#commitFaults.add(fault);
  }

  /** Takes all partitions of a group back and gives them out anew. */
  async rebalance(topic: string, groupId: string): Promise<void> {
    await this.#groups.get(topic)?.get(groupId)?.rebalance();
  }

  /** The session of the consumer that owns a partition expires: it loses all and joins again. */
  async expireOwner(topic: string, groupId: string, partition: number): Promise<void> {
    const group = this.#groups.get(topic)?.get(groupId);
    const owner = group?.members.find((member) => member.owns(partition));
    if (owner !== undefined) await group?.expel(owner);
  }

  /** @throws PlatformError as `Driver.partitionCount`, also `TOPIC_NOT_FOUND` */
  partitionCount(topic: string): number {
    return this.#logsOf(topic).length;
  }

  /** @throws PlatformError as `Driver.append` */
  append({ topic, partition, records }: AppendRequest): void {
    const log = this.#logsOf(topic)[partition];
    if (log === undefined) {
      throw new PlatformError('TOPIC_NOT_FOUND', `topic ${topic} has no partition ${partition}`);
    }
    const { maxRecordBytes, now } = this.#options;
    if (records.some((record) => recordBytes(record) > maxRecordBytes)) {
      throw new PlatformError('EVENT_TOO_LARGE', `a record is over ${maxRecordBytes} bytes`);
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
    if (logs === undefined) throw new PlatformError('TOPIC_NOT_FOUND', `no topic ${topic}`);
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

function recordBytes({ key, value, headers }: OutgoingRecord): number {
  const bytes = (key?.length ?? 0) + (value?.length ?? 0);
  return Object.entries(headers).reduce(
    (sum, [name, text]) => sum + Buffer.byteLength(name) + Buffer.byteLength(text),
    bytes,
  );
}

import type { OutgoingRecord, StoredRecord } from './record.js';

/** Where a subscription without a committed offset begins: at the end, or at the beginning. */
export const offsetEnd = -1n;
export const offsetBeginning = -2n;

export interface AppendRequest {
  /** As on the wire, with its prefix. */
  readonly topic: string;
  readonly partition: number;
  /** At least one; they are appended in this order, next to one another, all or none. */
  readonly records: readonly OutgoingRecord[];
  /** Time for this one try, in milliseconds. */
  readonly timeoutMs: number;
}

export interface SubscriptionRequest {
  /** As on the wire, with its prefix. */
  readonly topic: string;
  /** As on the wire, with its prefix. */
  readonly groupId: string;
  /** Static membership; undefined: dynamic. */
  readonly groupInstanceId: string | undefined;
  /** Where a partition without a committed offset begins: `offsetEnd`, `offsetBeginning` or a number. */
  readonly startOffset: bigint;
  /** Longest time that a handler's `revoked` may take, in milliseconds. */
  readonly drainMs: number;
}

/**
 * What a driver tells about one subscription. Calls for one partition follow one another; those for
 * different partitions may overlap. None of them may throw or reject.
 */
export interface SubscriptionHandler {
  /** These partitions are this consumer's from now on. What came of an earlier assignment is over. */
  assigned(partitions: readonly number[]): void;
  /**
   * These partitions are about to go. Resolves when what was in hand is finished and committed (or
   * its time is over); the driver waits for it, within `drainMs`, before it lets them go.
   */
  revoked(partitions: readonly number[]): Promise<void>;
  /** These partitions are gone already: nothing of them can be committed any more. */
  lost(partitions: readonly number[]): void;
  /**
   * Records of one partition, in order, none left out. Resolves when the partition may bring more:
   * the back-pressure. The driver keeps its membership alive meanwhile, however long it takes.
   */
  records(partition: number, records: readonly StoredRecord[]): Promise<void>;
  /** Something went wrong that the driver mends by itself (broker away, topic missing, crash). */
  interrupted(error: unknown): void;
}

export interface DriverSubscription {
  /**
   * Stores the offsets of the next records to read, by partition.
   * @throws PlatformError `STREAM_ASSIGNMENT_LOST` when a partition is not this consumer's any more
   */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  /** Calls `revoked` for what is assigned, leaves the group, stops. Idempotent. */
  close(): Promise<void>;
}

/** A consumer group on one topic. */
export interface GroupLag {
  readonly groupId: string;
  readonly topic: string;
  readonly partitions: readonly PartitionLag[];
}

export interface PartitionLag {
  readonly partition: number;
  /** Next offset to read; undefined: nothing was committed yet. */
  readonly committed: bigint | undefined;
  /** Offset that the next record will get. */
  readonly end: bigint;
  /** Records that are not read yet. */
  readonly lag: bigint;
}

/**
 * What a stream must do. Envelopes, validation, batching, retries, offsets, dead letters, draining
 * and metrics lie above it and are the same for all.
 */
export interface Driver {
  /**
   * Number of partitions of a topic, at least 1. May create the topic.
   * @throws PlatformError `STREAM_UNAVAILABLE`, `STREAM_UNAUTHORIZED`
   */
  partitionCount(topic: string): Promise<number>;
  /**
   * Resolves when the records are acknowledged. One call per topic and partition at a time.
   * @throws PlatformError `EVENT_TOO_LARGE` (at least one of the records is; nothing was written),
   *   `STREAM_UNAVAILABLE` (nothing was written; trying again can help), `EVENT_OUTCOME_UNKNOWN`
   *   (may or may not have been written; trying again may double it), `STREAM_UNAUTHORIZED`
   */
  append(request: AppendRequest): Promise<void>;
  /**
   * Joins the group. Resolves at once: the driver connects, and comes back after every failure, by
   * itself, and tells the handler.
   */
  subscribe(request: SubscriptionRequest, handler: SubscriptionHandler): DriverSubscription;
  /** Lag of the groups that read a topic; of one group only when it is named. */
  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]>;
  /** @throws PlatformError with the reason when the stream does not answer */
  ping(): Promise<void>;
  /** Ends everything that is open. Idempotent. */
  close(): Promise<void>;
}

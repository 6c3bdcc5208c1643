import type { OutgoingRecord, StoredRecord } from './record.js';

/** Start offset of a subscription without a committed one: the end of the partition. */
export const offsetEnd = -1n;
/** Start offset of a subscription without a committed one: the beginning of the partition. */
export const offsetBeginning = -2n;

/** Records to append to one partition. */
export interface AppendRequest {
  /** As on the wire, with its prefix. */
  readonly topic: string;
  readonly partition: number;
  /** At least one. They are appended in this order, next to one another, all or none. */
  readonly records: readonly OutgoingRecord[];
  /** Longest time of this one try, in ms. */
  readonly timeoutMs: number;
}

/** A consumer that joins a group on one topic. */
export interface SubscriptionRequest {
  /** As on the wire, with its prefix. */
  readonly topic: string;
  /** As on the wire, with its prefix. */
  readonly groupId: string;
  /** Instance id of a static member. Undefined: a dynamic member. */
  readonly groupInstanceId: string | undefined;
  /**
   * Start of a partition without a committed offset: `offsetEnd`, `offsetBeginning` or a number.
   */
  readonly startOffset: bigint;
  /** Longest time that the handler's `revoked` may take, in ms. */
  readonly drainMs: number;
}

/** Offsets of one partition whose records were deleted unread. */
export interface LostRange {
  readonly from: bigint;
  /** Exclusive. */
  readonly to: bigint;
}

/**
 * Functions of one subscription that the driver calls. Calls for one partition follow one another;
 * calls for different partitions may overlap. None of them may throw or reject.
 */
export interface SubscriptionHandler {
  /** The consumer owns these partitions from now on. Earlier assignments of them are over. */
  assigned(partitions: readonly number[]): void;
  /**
   * The consumer is about to lose these partitions. Resolves when the records in hand are finished
   * and committed, or when the time for that is over. The driver waits for it, within `drainMs`,
   * before it gives the partitions up.
   */
  revoked(partitions: readonly number[]): Promise<void>;
  /** The consumer has lost these partitions already: their offsets cannot be committed any more. */
  lost(partitions: readonly number[]): void;
  /**
   * Records of one partition, in order and without gaps. Resolves when the partition may deliver
   * more (back-pressure). The driver stays a member of the group meanwhile, however long it takes.
   */
  records(partition: number, records: readonly StoredRecord[]): Promise<void>;
  /**
   * Reading of one partition has come to this offset: what is before it was delivered, or is no
   * record for consumers, such as the marker that ends a transaction.
   */
  advanced?(partition: number, offset: bigint): void;
  /**
   * Retention deleted records before they were read. Reading continues behind them.
   */
  recordsLost?(partition: number, range: LostRange): void;
  /**
   * A failure from which the driver recovers by itself: broker not reachable, topic missing, crash.
   */
  interrupted(error: unknown): void;
}

/** A driver's consumer in a group. */
export interface DriverSubscription {
  /**
   * Stores the offsets of the next records to read, by partition.
   * @throws PlatformError `STREAM_ASSIGNMENT_LOST` when the consumer does not own a partition any
   *   more
   */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  /** Calls `revoked` for the assigned partitions, leaves the group and stops. Idempotent. */
  close(): Promise<void>;
}

/** Lag of a consumer group on one topic. */
export interface GroupLag {
  readonly groupId: string;
  readonly topic: string;
  readonly partitions: readonly PartitionLag[];
}

/** Position of a consumer group in one partition. */
export interface PartitionLag {
  readonly partition: number;
  /** Next offset to read. Undefined: nothing was committed yet. */
  readonly committed: bigint | undefined;
  /** Offset that the next record will get. */
  readonly end: bigint;
  /** Number of records that were not read yet. */
  readonly lag: bigint;
}

/**
 * A stream, as the SDK needs it. Envelopes, validation, batching, retries, offset tracking, dead
 * letters, draining and metrics are above it, the same for every driver.
 */
export interface Driver {
  /**
   * Returns the number of partitions of a topic, at least 1. May create the topic.
   * @throws PlatformError `STREAM_UNAVAILABLE`, `STREAM_UNAUTHORIZED`
   */
  partitionCount(topic: string): Promise<number>;
  /**
   * Appends records. Resolves when the stream has acknowledged them. The caller makes one call per
   * topic and partition at a time.
   * @throws PlatformError `EVENT_TOO_LARGE` (at least one record is; nothing was written),
   *   `STREAM_UNAVAILABLE` (nothing was written; another try can help), `EVENT_OUTCOME_UNKNOWN`
   *   (may have been written or not; another try may write it twice), `STREAM_UNAUTHORIZED`
   */
  append(request: AppendRequest): Promise<void>;
  /**
   * Joins the group. Returns at once: the driver connects in the background, reconnects after every
   * failure and reports failures to the handler.
   */
  subscribe(request: SubscriptionRequest, handler: SubscriptionHandler): DriverSubscription;
  /** Returns the lag of the groups that read a topic, or of one of them. */
  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]>;
  /** Checks that the stream answers. @throws PlatformError with the reason when it does not */
  ping(): Promise<void>;
  /** Closes all connections and subscriptions. Idempotent. */
  close(): Promise<void>;
}

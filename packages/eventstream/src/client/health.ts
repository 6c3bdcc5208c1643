import { type ErrorCode, PlatformError, withTimeout } from '@posthaste/contracts';
import type { ConsumerStatus } from '../consume/group-consumer.js';
import type { Driver } from '../driver.js';

/** Longest time until the stream answers, in ms. */
const pingTimeoutMs = 5_000;

/** Present state of a client. */
export interface StreamHealth {
  /** True if the stream answers and no consumer is blocked or interrupted. */
  readonly healthy: boolean;
  /** Reason why the stream does not answer. Undefined: it answers. */
  readonly streamError: Fault | undefined;
  /** Number of events that were accepted and are not settled yet. */
  readonly bufferedEvents: number;
  readonly bufferedBytes: number;
  readonly consumers: readonly ConsumerHealth[];
}

/** Present state of a consumer. */
export interface ConsumerHealth {
  /** As on the wire. */
  readonly topic: string;
  /** As on the wire. */
  readonly groupId: string;
  /** Assigned partitions. There may be none when the group has more members than partitions. */
  readonly partitions: readonly number[];
  /** Partitions with a record that can neither be handled nor be written to another topic. */
  readonly blockedPartitions: readonly number[];
  /** The same partitions, with the reason. */
  readonly blocks: readonly PartitionBlock[];
  /**
   * Records that retention deleted before this consumer read them, noticed in the last quarter of
   * an hour. They do not make the client unhealthy: nothing can be done about them any more.
   */
  readonly lostRecords: readonly RecordLoss[];
  /** Reason why the stream is interrupted for this consumer. Undefined: it is not. */
  readonly interruption: Fault | undefined;
}

/** Reason why a partition is blocked. */
export interface PartitionBlock {
  readonly partition: number;
  /** The dead letter or retry topic that cannot be written to. As on the wire. */
  readonly topic: string;
  /** Failure of the last try. */
  readonly error: Fault;
}

/** Records of one partition that were lost. */
export interface RecordLoss {
  readonly partition: number;
  /** Number of offsets. Some of them may have had no record. */
  readonly records: number;
  readonly noticedAt: Date;
}

/** Reason for a bad state. */
export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Parts of a client whose health is checked. */
export interface HealthSource {
  readonly driver: Pick<Driver, 'ping'>;
  readonly publisher: { readonly bufferedRecords: number; readonly bufferedBytes: number };
  readonly consumers: readonly ConsumerStatus[];
}

/** Checks a client. Never rejects, and takes at most five seconds. */
export async function checkHealth(source: HealthSource): Promise<StreamHealth> {
  const streamError = await findStreamError(source.driver);
  const consumers = source.consumers.map(toConsumerHealth);
  return {
    healthy: streamError === undefined && consumers.every(isHealthy),
    streamError,
    bufferedEvents: source.publisher.bufferedRecords,
    bufferedBytes: source.publisher.bufferedBytes,
    consumers,
  };
}

function findStreamError(driver: Pick<Driver, 'ping'>): Promise<Fault | undefined> {
  const answer = driver.ping().then(() => undefined, toFault);
  const message = `no answer in ${pingTimeoutMs} ms`;
  return withTimeout(answer, pingTimeoutMs, () => ({ code: 'STREAM_UNAVAILABLE', message }));
}

function toConsumerHealth(status: ConsumerStatus): ConsumerHealth {
  const { topic, groupId, partitions, interruption, losses } = status;
  return {
    topic,
    groupId,
    partitions: partitions.map(({ partition }) => partition),
    blockedPartitions: partitions.flatMap(({ partition, blocked }) => (blocked ? [partition] : [])),
    blocks: partitions.flatMap(({ partition, block }) =>
      block ? [{ partition, topic: block.topic, error: toFault(block.error) }] : [],
    ),
    lostRecords: losses.map(({ partition, from, to, noticedAt }) => {
      return { partition, records: Number(to - from), noticedAt };
    }),
    interruption: interruption === undefined ? undefined : toFault(interruption),
  };
}

function isHealthy({ blockedPartitions, interruption }: ConsumerHealth): boolean {
  return blockedPartitions.length === 0 && interruption === undefined;
}

function toFault(error: unknown): Fault {
  if (error instanceof PlatformError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

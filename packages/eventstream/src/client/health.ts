import { type ErrorCode, PlatformError, withTimeout } from '@posthaste/contracts';
import type { ConsumerStatus } from '../consume/group-consumer.js';
import type { Driver } from '../driver.js';

/** Time that the stream has to answer, in milliseconds. */
const pingTimeoutMs = 5_000;

/** How a client is, at this moment. */
export interface StreamHealth {
  /** The stream answers, and every consumer gets on. */
  readonly healthy: boolean;
  /** Why the stream does not answer; `undefined`: it does. */
  readonly streamError: Fault | undefined;
  /** Events accepted and not settled yet. */
  readonly bufferedEvents: number;
  readonly bufferedBytes: number;
  readonly consumers: readonly ConsumerHealth[];
}

export interface ConsumerHealth {
  /** As on the wire. */
  readonly topic: string;
  /** As on the wire. */
  readonly groupId: string;
  /** Assigned at present; none is no fault when the group has more members than partitions. */
  readonly partitions: readonly number[];
  /** Those that stand still: a record can neither be handled nor be put away. */
  readonly blockedPartitions: readonly number[];
  /** Why the stream is away from this consumer; `undefined`: it is not. */
  readonly interruption: Fault | undefined;
}

export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface HealthSource {
  readonly driver: Pick<Driver, 'ping'>;
  readonly publisher: { readonly bufferedRecords: number; readonly bufferedBytes: number };
  readonly consumers: readonly ConsumerStatus[];
}

/** Never rejects, and takes at most five seconds. */
export async function checkHealth(source: HealthSource): Promise<StreamHealth> {
  const streamError = await findStreamError(source.driver);
  const consumers = source.consumers.map(toConsumerHealth);
  return {
    healthy: streamError === undefined && consumers.every(isWell),
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
  const { topic, groupId, partitions, interruption } = status;
  return {
    topic,
    groupId,
    partitions: partitions.map(({ partition }) => partition),
    blockedPartitions: partitions.flatMap(({ partition, blocked }) => (blocked ? [partition] : [])),
    interruption: interruption === undefined ? undefined : toFault(interruption),
  };
}

function isWell({ blockedPartitions, interruption }: ConsumerHealth): boolean {
  return blockedPartitions.length === 0 && interruption === undefined;
}

function toFault(error: unknown): Fault {
  if (error instanceof PlatformError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

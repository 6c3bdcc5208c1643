import { PlatformError } from '@posthaste/contracts';
import type { AppendRequest, Driver } from '../src/driver.js';

/** Stream on which the suite runs. */
export interface ConformanceTarget {
  /** Opens a connection of its own, as another process would. */
  connect(): Driver | Promise<Driver>;
  createTopic(topic: string, partitions: number): Promise<void>;
  /** Size of a record that is refused, in bytes. */
  readonly tooLargeBytes: number;
  /** Time without a heartbeat after which a consumer is removed from its group, in ms. */
  readonly sessionMs: number;
  /** Longest wait for an expected change, in ms. */
  readonly settleMs: number;
  close(): Promise<void>;
}

/** Connections and topics of one test. The connections are closed after the test. */
export interface Conformance {
  /** Opens another connection. */
  connect(): Promise<Driver>;
  /** Creates a topic. */
  topic(partitions: number, name?: string): Promise<string>;
  /** Waits until the assertion holds, up to `settleMs` of the target. */
  until(assertion: () => unknown): Promise<unknown>;
}

/** Returns the group of a topic. Each test has its own topic, and so its own group. */
export function groupOf(topic: string): string {
  return `group-${topic}`;
}

/** Longest time until a new topic is ready for appends, in ms. */
const readyMs = 15_000;

const notReady: readonly string[] = ['STREAM_UNAVAILABLE', 'EVENT_OUTCOME_UNKNOWN'];

/**
 * Appends records, and tries again while the stream is not ready, as publishers do. It also tries
 * again after an unknown outcome: a broker reports it until it knows that it leads a new partition.
 */
export async function appendTo(
  driver: Driver,
  request: Omit<AppendRequest, 'timeoutMs'>,
): Promise<void> {
  const endMs = performance.now() + readyMs;
  for (;;) {
    try {
      return await driver.append({ ...request, timeoutMs: 10_000 });
    } catch (error) {
      const isNotReady = error instanceof PlatformError && notReady.includes(error.code);
      if (!isNotReady || performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

import { PlatformError } from '@posthaste/contracts';
import type { AppendRequest, Driver } from '../src/driver.js';

/** A stream on which the suite runs. */
export interface ConformanceTarget {
  /** Opens a connection, as another process would do. */
  connect(): Driver | Promise<Driver>;
  createTopic(topic: string, partitions: number): Promise<void>;
  /** Size of a record, in bytes, that is refused. */
  readonly tooLargeBytes: number;
  /** Silence after which a consumer is removed from its group, in ms. */
  readonly sessionMs: number;
  /** Longest time until an expected change has happened, in ms. */
  readonly settleMs: number;
  close(): Promise<void>;
}

/** The stream, as a test uses it. Its connections are closed after the test. */
export interface Conformance {
  /** Opens another connection. */
  connect(): Promise<Driver>;
  /** Creates a topic. */
  topic(partitions: number, name?: string): Promise<string>;
  /** Waits until this holds. */
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
 * Appends records, and tries again while the stream is not ready, as publishers do. Also after an
 * unknown outcome, which a broker reports when it does not know yet that it leads a new partition.
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

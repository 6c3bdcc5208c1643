import { PlatformError } from '@posthaste/contracts';
import type { AppendRequest, Driver } from '../src/driver.js';

/** A stream to run the suite on. */
export interface ConformanceTarget {
  /** A connection of its own, as another process would have. */
  connect(): Driver | Promise<Driver>;
  createTopic(topic: string, partitions: number): Promise<void>;
  /** A record of this size, in bytes, is refused. */
  readonly tooLargeBytes: number;
  /** A consumer that was silent for so long is no member any more. */
  readonly sessionMs: number;
  /** Longest time in which anything that must happen does. */
  readonly settleMs: number;
  close(): Promise<void>;
}

/** What a test has of the stream: it is closed after it. */
export interface Conformance {
  /** Another connection. */
  connect(): Promise<Driver>;
  /** A new topic with this many partitions. */
  topic(partitions: number, name?: string): Promise<string>;
  /** Waits until this holds. */
  until(assertion: () => unknown): Promise<unknown>;
}

/** Each test has a topic of its own, and so a group of its own. */
export function groupOf(topic: string): string {
  return `group-${topic}`;
}

/** Time in which a new topic can be written to. */
const readyMs = 15_000;

const notReady: readonly string[] = ['STREAM_UNAVAILABLE', 'EVENT_OUTCOME_UNKNOWN'];

/**
 * Appends as publishers do: what failed because the stream is not ready is tried again. Also when its
 * outcome is unknown, as it is when a broker does not know yet that it leads a new partition.
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

import type { Driver } from '../src/driver.js';

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

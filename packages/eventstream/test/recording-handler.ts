import { expect } from 'vitest';
import type { DriverSubscription, LostRange, SubscriptionHandler } from '../src/driver.js';
import type { StoredRecord } from '../src/record.js';

/** Functions that a `RecordingHandler` calls. */
export interface RecordingOptions {
  /** Called with records. More records of the partition are delivered when it has resolved. */
  readonly onRecords?: (partition: number, records: readonly StoredRecord[]) => Promise<void>;
  readonly onRevoked?: (partitions: readonly number[]) => Promise<void>;
}

/** Handler of a subscription that records its calls. */
export class RecordingHandler implements SubscriptionHandler {
  readonly received: StoredRecord[] = [];
  /** Changes of the assignment, in order: `assigned 0,1`, `revoked 0`, `lost 1`. */
  readonly log: string[] = [];
  readonly interruptions: unknown[] = [];
  readonly losses: LostRange[] = [];
  /** Partitions that the consumer owns now. */
  readonly partitions: Set<number> = new Set();
  readonly #options: RecordingOptions;

  constructor(options: RecordingOptions = {}) {
    this.#options = options;
  }

  get values(): string[] {
    return this.received.map(({ value }) => String(value));
  }

  assigned(partitions: readonly number[]): void {
    this.log.push(`assigned ${partitions}`);
    for (const partition of partitions) this.partitions.add(partition);
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    this.log.push(`revoked ${partitions}`);
    await this.#options.onRevoked?.(partitions);
    for (const partition of partitions) this.partitions.delete(partition);
  }

  lost(partitions: readonly number[]): void {
    this.log.push(`lost ${partitions}`);
    for (const partition of partitions) this.partitions.delete(partition);
  }

  async records(partition: number, records: readonly StoredRecord[]): Promise<void> {
    this.received.push(...records);
    await this.#options.onRecords?.(partition, records);
  }

  recordsLost(_partition: number, range: LostRange): void {
    this.losses.push(range);
  }

  interrupted(error: unknown): void {
    this.interruptions.push(error);
  }
}

/** Returns the next offsets to read after these records, by partition. */
export function offsetsAfter(records: readonly StoredRecord[]): Map<number, bigint> {
  return new Map(records.map(({ partition, offset }) => [partition, offset + 1n]));
}

/** Commits all records that a handler has received. */
export async function commitAll(
  subscription: DriverSubscription,
  handler: RecordingHandler,
): Promise<void> {
  await subscription.commit(offsetsAfter(handler.received));
}

/**
 * Returns the values that a handler has received, each once. A value may have come again only if the
 * handler had lost its partition before: a member that joins the group makes the others give up theirs,
 * and what they had not committed comes again with the partition.
 * @throws AssertionError if more came again
 */
export function distinct({ values, log }: RecordingHandler): string[] {
  const found = [...new Set(values)];
  const deliveries = log.filter((line) => line.startsWith('assigned')).length;
  expect(values.length).toBeLessThanOrEqual(found.length * Math.max(1, deliveries));
  return found;
}

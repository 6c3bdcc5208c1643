import type { DriverSubscription, SubscriptionHandler } from '../src/driver.js';
import type { StoredRecord } from '../src/record.js';

export interface RecordingOptions {
  /** Called with records. The partition delivers more when it resolves. */
  readonly onRecords?: (partition: number, records: readonly StoredRecord[]) => Promise<void>;
  readonly onRevoked?: (partitions: readonly number[]) => Promise<void>;
}

/** A subscription's handler that records its calls. */
export class RecordingHandler implements SubscriptionHandler {
  readonly taken: StoredRecord[] = [];
  /** Changes of the assignment, in order: `assigned 0,1`, `revoked 0`, `lost 1`. */
  readonly log: string[] = [];
  readonly interruptions: unknown[] = [];
  /** Partitions that the consumer owns now. */
  readonly held: Set<number> = new Set();
  readonly #options: RecordingOptions;

  constructor(options: RecordingOptions = {}) {
    this.#options = options;
  }

  get values(): string[] {
    return this.taken.map(({ value }) => String(value));
  }

  assigned(partitions: readonly number[]): void {
    this.log.push(`assigned ${partitions}`);
    for (const partition of partitions) this.held.add(partition);
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    this.log.push(`revoked ${partitions}`);
    await this.#options.onRevoked?.(partitions);
    for (const partition of partitions) this.held.delete(partition);
  }

  lost(partitions: readonly number[]): void {
    this.log.push(`lost ${partitions}`);
    for (const partition of partitions) this.held.delete(partition);
  }

  async records(partition: number, records: readonly StoredRecord[]): Promise<void> {
    this.taken.push(...records);
    await this.#options.onRecords?.(partition, records);
  }

  interrupted(error: unknown): void {
    this.interruptions.push(error);
  }
}

/** Returns the next offsets to read after these records, by partition. */
export function offsetsAfter(records: readonly StoredRecord[]): Map<number, bigint> {
  return new Map(records.map(({ partition, offset }) => [partition, offset + 1n]));
}

/** Commits all records that a handler got. */
export async function commitAll(
  subscription: DriverSubscription,
  handler: RecordingHandler,
): Promise<void> {
  await subscription.commit(offsetsAfter(handler.taken));
}

/**
 * How offsets are committed:
 *
 *   partition-processor.ts  a record is handled to its end
 *   offset-tracker.ts       the position moves up to the first unfinished record
 *   committer.ts            stores the positions of all partitions that moved: in batches, by a timer
 *                           (the default), or before the next record (`commit: 'each'`)
 *   topic-reader.ts         flushes on revoke and on close, passes commits to the driver
 *
 * Invariants: one commit runs at a time, so an older position never overwrites a newer one; only
 * processors that are in the map are committed, so an assignment that is over never is.
 */

import { backoffMs, PlatformError } from '@posthaste/contracts';
import type { PartitionProcessor } from './partition-processor.js';

/** Options of a committer. */
export interface CommitterOptions {
  /** By partition. A commit stores the positions of those that are in the map when it begins. */
  readonly processors: ReadonlyMap<number, PartitionProcessor>;
  readonly intervalMs: number;
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  onFailure(error: unknown): void;
}

/** Waits after failures. */
const backoff = { initialMs: 100, maxMs: 5_000 };

/** Commits the positions of partition processors, all that moved in one commit. */
export class Committer {
  readonly #options: CommitterOptions;
  #timer: NodeJS.Timeout | undefined;
  #current: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Commits within the interval, because a position moved. After failures the wait is longer. */
  touch(): void {
    if (this.#timer || this.#closed) return;
    const waitMs = Math.max(this.#options.intervalMs, this.#failures === 0 ? 0 : this.#backoffMs());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, waitMs);
  }

  /**
   * Commits now all positions that moved until now. Calls during a commit share the one that
   * follows it. Never rejects: failures are reported, and tried again after the interval.
   */
  flush(): Promise<void> {
    if (!this.#current) {
      this.#current = this.#commitMoved().finally(() => {
        this.#current = undefined;
      });
      return this.#current;
    }
    this.#following ??= this.#current.then(() => {
      this.#following = undefined;
      return this.flush();
    });
    return this.#following;
  }

  /** Resolves when the processor's present position is committed, or the processor has stopped. */
  async store(processor: PartitionProcessor): Promise<void> {
    const { position } = processor;
    while (position !== undefined && (processor.committed ?? -1n) < position) {
      await this.flush();
      if ((processor.committed ?? -1n) >= position) return;
      if (!(await processor.sleep(this.#backoffMs()))) return;
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #backoffMs(): number {
    return backoffMs(this.#failures + 1, backoff, Math.random());
  }

  async #commitMoved(): Promise<void> {
    const moved = [...this.#options.processors.values()].filter(
      ({ position, committed }) => position !== undefined && position !== committed,
    );
    if (moved.length === 0) return;
    try {
      await this.#commit(moved);
      this.#failures = 0;
    } catch (error) {
      if (moved.length > 1 && isAssignmentLost(error)) return this.#commitSingly(moved);
      this.#fail(error);
    }
  }

  /**
   * Commits one by one: one partition belongs to another consumer now, which must not stop the
   * rest.
   */
  async #commitSingly(processors: readonly PartitionProcessor[]): Promise<void> {
    for (const processor of processors) {
      if (this.#options.processors.get(processor.partition) !== processor) continue;
      try {
        await this.#commit([processor]);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  async #commit(processors: readonly PartitionProcessor[]): Promise<void> {
    const positions = new Map<PartitionProcessor, bigint>();
    for (const processor of processors) {
      if (processor.position !== undefined) positions.set(processor, processor.position);
    }
    await this.#options.commit(
      new Map([...positions].map(([{ partition }, position]) => [partition, position])),
    );
    for (const [processor, position] of positions) processor.committed = position;
  }

  #fail(error: unknown): void {
    this.#failures += 1;
    this.#options.onFailure(error);
    this.touch();
  }
}

function isAssignmentLost(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'STREAM_ASSIGNMENT_LOST';
}

import { backoffMs, PlatformError } from '@posthaste/contracts';
import type { PartitionProcessor } from './partition-processor.js';

export interface CommitterOptions {
  /** By partition; only what is in here when a commit begins is committed. */
  readonly processors: ReadonlyMap<number, PartitionProcessor>;
  readonly intervalMs: number;
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  onFailure(error: unknown): void;
}

/** Longest wait after failures. */
const backoff = { initialMs: 100, maxMs: 5_000 };

/**
 * Stores the positions of lanes: all that moved together, one commit at a time, so that an older
 * position never overwrites a newer one. A lane that is no longer in the map is never committed.
 */
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

  /** A lane moved: it is committed within the interval, after failures within a longer one. */
  touch(): void {
    if (this.#timer || this.#closed) return;
    const waitMs = Math.max(this.#options.intervalMs, this.#failures === 0 ? 0 : this.#backoffMs());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, waitMs);
  }

  /**
   * Commits now what has moved until now. Calls during a commit share the one that follows it.
   * Never rejects: failures are reported, and tried again after the interval.
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

  /** Resolves when the lane's present position is stored, or the lane has stopped. */
  async store(lane: PartitionProcessor): Promise<void> {
    const { position } = lane;
    while (position !== undefined && (lane.committed ?? -1n) < position) {
      await this.flush();
      if ((lane.committed ?? -1n) >= position) return;
      if (!(await lane.sleep(this.#backoffMs()))) return;
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** In ms. */
  #backoffMs(): number {
    return backoffMs(this.#failures + 1, backoff, Math.random());
  }

  async #commitMoved(): Promise<void> {
    const moved = [...this.#options.processors.values()].filter(
      (lane) => lane.position !== undefined && lane.position !== lane.committed,
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

  /** One of them is somebody else's by now; the others must not suffer from it. */
  async #commitSingly(lanes: readonly PartitionProcessor[]): Promise<void> {
    for (const lane of lanes) {
      if (this.#options.processors.get(lane.partition) !== lane) continue;
      try {
        await this.#commit([lane]);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  async #commit(lanes: readonly PartitionProcessor[]): Promise<void> {
    const positions = new Map<PartitionProcessor, bigint>();
    for (const lane of lanes) if (lane.position !== undefined) positions.set(lane, lane.position);
    await this.#options.commit(
      new Map([...positions].map(([lane, position]) => [lane.partition, position])),
    );
    for (const [lane, position] of positions) lane.committed = position;
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

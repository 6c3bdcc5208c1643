import type { GroupGeneration } from './membership.js';

/**
 * The partitions of one assignment. Records are taken until they are being given up; commits are
 * made until it is over, because they were given up or because the group went on without this member.
 */
export class PartitionAssignment {
  readonly generation: GroupGeneration;
  readonly partitions: readonly number[];
  /** Where each partition is read next, as far as it is known. */
  readonly positions: Map<number, bigint> = new Map();
  /** Resolves when it is over. */
  readonly ended: Promise<void>;
  readonly #resolveOver: () => void;
  #state: 'taking' | 'draining' | 'over' = 'taking';

  constructor(membership: GroupGeneration, partitions: readonly number[]) {
    this.generation = membership;
    this.partitions = partitions;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#resolveOver = resolve;
  }

  get isEnded(): boolean {
    return this.#state === 'over';
  }

  /** Whether records of this partition may be handled. */
  acceptsRecords(partition: number): boolean {
    return this.#state === 'taking' && this.partitions.includes(partition);
  }

  /** Whether offsets of this partition may be committed. */
  acceptsCommits(partition: number): boolean {
    return this.#state !== 'over' && this.partitions.includes(partition);
  }

  startRevoking(): void {
    if (this.#state === 'taking') this.#state = 'draining';
  }

  end(): void {
    this.#state = 'over';
    this.#resolveOver();
  }
}

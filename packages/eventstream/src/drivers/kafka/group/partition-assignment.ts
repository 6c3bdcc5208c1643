/**
 * One generation of a consumer group as one member sees it: begun by its join, ended by the next
 * rebalance. The coordinator refuses both requests when the generation has ended.
 */
export interface GroupGeneration {
  /** Sends an OffsetCommit request with the offsets of the next records to read, by partition. */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  /** Sends a Heartbeat request. */
  heartbeat(): Promise<void>;
}

/**
 * The partitions that one generation assigned to this consumer. Records are accepted until the
 * partitions are revoked. Offsets are committed until the assignment has ended: after the handler
 * had its time to finish, or when the group has gone on without this member.
 */
export class PartitionAssignment {
  readonly generation: GroupGeneration;
  readonly partitions: readonly number[];
  /** Offset of the next record to read, by partition, as far as it is known. */
  readonly positions: Map<number, bigint> = new Map();
  /** Resolves when the assignment has ended. */
  readonly ended: Promise<void>;
  readonly #resolveEnded: () => void;
  #state: 'active' | 'revoking' | 'ended' = 'active';

  constructor(generation: GroupGeneration, partitions: readonly number[]) {
    this.generation = generation;
    this.partitions = partitions;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#resolveEnded = resolve;
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  acceptsRecords(partition: number): boolean {
    return this.#state === 'active' && this.partitions.includes(partition);
  }

  acceptsCommits(partition: number): boolean {
    return this.#state !== 'ended' && this.partitions.includes(partition);
  }

  startRevoking(): void {
    if (this.#state === 'active') this.#state = 'revoking';
  }

  end(): void {
    this.#state = 'ended';
    this.#resolveEnded();
  }
}

import type { Membership } from './membership.js';

/**
 * The partitions of one assignment. Records are taken until they are being given up; commits are
 * made until it is over, because they were given up or because the group went on without this member.
 */
export class HeldPartitions {
  readonly membership: Membership;
  readonly partitions: readonly number[];
  /** Where each partition is read next, as far as it is known. */
  readonly positions: Map<number, bigint> = new Map();
  /** Resolves when it is over. */
  readonly over: Promise<void>;
  readonly #resolveOver: () => void;
  #state: 'taking' | 'draining' | 'over' = 'taking';

  constructor(membership: Membership, partitions: readonly number[]) {
    this.membership = membership;
    this.partitions = partitions;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#resolveOver = resolve;
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Whether records of this partition may be handled. */
  takes(partition: number): boolean {
    return this.#state === 'taking' && this.partitions.includes(partition);
  }

  /** Whether offsets of this partition may be committed. */
  commits(partition: number): boolean {
    return this.#state !== 'over' && this.partitions.includes(partition);
  }

  stopTaking(): void {
    if (this.#state === 'taking') this.#state = 'draining';
  }

  end(): void {
    this.#state = 'over';
    this.#resolveOver();
  }
}

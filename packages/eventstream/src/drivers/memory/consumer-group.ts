import { PlatformError } from '@posthaste/contracts';
import type { GroupLag, SubscriptionHandler, SubscriptionRequest } from '../../driver.js';
import { offsetBeginning, offsetEnd } from '../../driver.js';
import { assignRange } from './assign-range.js';
import type { FaultQueue } from './faults.js';
import { MemorySubscription } from './memory-subscription.js';
import type { PartitionLog } from './partition-log.js';

export interface ConsumerGroupOptions {
  readonly groupId: string;
  readonly topic: string;
  /** The topic's partitions; `undefined` while it does not exist. */
  readonly partitions: () => readonly PartitionLog[] | undefined;
  readonly batchSize: number;
  readonly isAvailable: () => boolean;
  readonly commitFaults: FaultQueue;
}

/**
 * A consumer group on one topic. Every change of its members takes all partitions back and gives
 * them out anew (Kafka's eager protocol); rebalances follow one another.
 */
export class ConsumerGroup {
  readonly #options: ConsumerGroupOptions;
  readonly #members = new Set<MemorySubscription>();
  readonly #committed = new Map<number, bigint>();
  #rebalancing: Promise<void> | undefined;
  #changed = false;

  constructor(options: ConsumerGroupOptions) {
    this.#options = options;
  }

  get members(): readonly MemorySubscription[] {
    return [...this.#members];
  }

  /** Committed offsets by partition. */
  get committed(): ReadonlyMap<number, bigint> {
    return this.#committed;
  }

  join(request: SubscriptionRequest, handler: SubscriptionHandler): MemorySubscription {
    this.#fence(request.groupInstanceId);
    const member = new MemorySubscription({ ...this.#options, group: this, request, handler });
    this.#members.add(member);
    if (this.#options.partitions() === undefined) {
      const { topic } = this.#options;
      handler.interrupted(new PlatformError('TOPIC_NOT_FOUND', `there is no topic ${topic} yet`));
    }
    void this.rebalance();
    return member;
  }

  /** Takes a member out; its partitions go to the others. */
  leave(member: MemorySubscription): void {
    if (this.#members.delete(member)) void this.rebalance();
  }

  /** As when the member's session has expired: its partitions are lost, and it joins again. */
  async expel(member: MemorySubscription): Promise<void> {
    member.lose();
    await this.rebalance();
  }

  /** Takes all partitions back and gives them out anew. Resolves when that is done. */
  rebalance(): Promise<void> {
    this.#changed = true;
    this.#rebalancing ??= this.#runRebalances();
    return this.#rebalancing;
  }

  commit(offsets: ReadonlyMap<number, bigint>): void {
    for (const [partition, offset] of offsets) this.#committed.set(partition, offset);
  }

  /**
   * Where reading begins. A beginning that was only asked for is stored at once: with `offsetEnd`
   * the next owner would otherwise skip what came meanwhile and was not committed.
   */
  begin(partition: number, log: PartitionLog, startOffset: bigint): bigint {
    const committed = this.#committed.get(partition);
    if (committed !== undefined) return committed;
    const offset = resolveStart(startOffset, log.end);
    this.#committed.set(partition, offset);
    return offset;
  }

  lag(): GroupLag {
    const { groupId, topic, partitions } = this.#options;
    return {
      groupId,
      topic,
      partitions: (partitions() ?? []).map(({ end }, partition) => {
        const committed = this.#committed.get(partition);
        return { partition, committed, end, lag: end - (committed ?? 0n) };
      }),
    };
  }

  async #runRebalances(): Promise<void> {
    // Not within the call that changed the members: it may be in a handler.
    await Promise.resolve();
    while (this.#changed) {
      this.#changed = false;
      await Promise.all(this.members.map((member) => member.release()));
      // A member that came or left meanwhile is counted by the next round.
      if (!this.#changed) this.#assign();
    }
    this.#rebalancing = undefined;
  }

  #assign(): void {
    const logs = this.#options.partitions();
    if (logs === undefined) return;
    const members = [...this.#members].sort((a, b) => (a.id < b.id ? -1 : 1));
    const shares = assignRange(logs.length, members.length);
    members.forEach((member, index) => {
      member.assign(shares[index] ?? [], logs);
    });
  }

  /** A static member that comes again takes the place of its earlier self. */
  #fence(groupInstanceId: string | undefined): void {
    if (groupInstanceId === undefined) return;
    const earlier = this.members.find(({ id }) => id === groupInstanceId);
    if (earlier === undefined) return;
    this.#members.delete(earlier);
    earlier.fence();
  }
}

function resolveStart(startOffset: bigint, end: bigint): bigint {
  if (startOffset === offsetBeginning) return 0n;
  // As Kafka's reset to the end does with an offset that is out of range.
  if (startOffset === offsetEnd || startOffset > end || startOffset < 0n) return end;
  return startOffset;
}

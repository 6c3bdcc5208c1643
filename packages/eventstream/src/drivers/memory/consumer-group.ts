import { PlatformError } from '@posthaste/contracts';
import type { GroupLag, SubscriptionHandler, SubscriptionRequest } from '../../driver.js';
import { offsetBeginning, offsetEnd } from '../../driver.js';

import type { FaultQueue } from './faults.js';
import { MemorySubscription } from './memory-subscription.js';
import type { PartitionLog } from './partition-log.js';

/** Options of a consumer group in memory. */
export interface ConsumerGroupOptions {
  readonly groupId: string;
  readonly topic: string;
  /** Returns the topic's partitions. Undefined: the topic does not exist yet. */
  readonly partitions: () => readonly PartitionLog[] | undefined;
  readonly batchSize: number;
  readonly isAvailable: () => boolean;
  readonly commitFaults: FaultQueue;
}

/**
 * A consumer group on one topic. Every change of its members revokes all partitions and assigns
 * them again (Kafka's eager protocol). One rebalance runs at a time.
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
      handler.interrupted(
        new PlatformError('TOPIC_NOT_FOUND', `topic '${topic}' does not exist yet`),
      );
    }
    void this.rebalance();
    return member;
  }

  /** Removes a member. Its partitions go to the others. */
  leave(member: MemorySubscription): void {
    if (this.#members.delete(member)) void this.rebalance();
  }

  /** Acts as if the member's session had expired: it loses its partitions and joins again. */
  async expel(member: MemorySubscription): Promise<void> {
    member.lose();
    await this.rebalance();
  }

  /** Revokes all partitions and assigns them again. Resolves when that is done. */
  rebalance(): Promise<void> {
    this.#changed = true;
    this.#rebalancing ??= this.#runRebalances();
    return this.#rebalancing;
  }

  commit(offsets: ReadonlyMap<number, bigint>): void {
    for (const [partition, offset] of offsets) this.#committed.set(partition, offset);
  }

  /**
   * Returns the offset at which reading begins. A requested start offset is stored at once: with
   * `offsetEnd`, the next owner would otherwise skip records that were appended in the meantime and
   * not committed.
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
    // Not within the call that changed the members, which may come from a handler.
    await Promise.resolve();
    while (this.#changed) {
      this.#changed = false;
      await Promise.all(this.members.map((member) => member.release()));
      // A member that joined or left in the meantime is counted in the next round.
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

  /** Removes the earlier member with this instance id, whose place the new one takes. */
  #fence(groupInstanceId: string | undefined): void {
    if (groupInstanceId === undefined) return;
    const earlier = this.members.find(({ id }) => id === groupInstanceId);
    if (earlier === undefined) return;
    this.#members.delete(earlier);
    earlier.fence();
  }
}

/** Assigns neighbouring partitions to each member, one more to the first ones: Kafka's `range`. */
function assignRange(partitions: number, members: number): readonly (readonly number[])[] {
  const share = Math.floor(partitions / members);
  const larger = partitions % members;
  return Array.from({ length: members }, (_, member) => {
    const from = member * share + Math.min(member, larger);
    return Array.from({ length: share + (member < larger ? 1 : 0) }, (_, index) => from + index);
  });
}

function resolveStart(startOffset: bigint, end: bigint): bigint {
  if (startOffset === offsetBeginning) return 0n;
  // An offset out of range counts as the end, as with Kafka's reset to the end.
  if (startOffset === offsetEnd || startOffset > end || startOffset < 0n) return end;
  return startOffset;
}

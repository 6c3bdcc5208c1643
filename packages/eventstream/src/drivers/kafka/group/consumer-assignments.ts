import { settlesWithin } from '@posthaste/contracts';
import type { SubscriptionHandler, SubscriptionRequest } from '../../../driver.js';
import { isExpelled } from '../connection/kafka-errors.js';
import { assignmentLost, commitOffsets, isStillMember } from './member-requests.js';
import type { Membership } from './membership.js';
import { HeldPartitions } from './partition-assignment.js';

export interface GroupMemberOptions {
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly heartbeatIntervalMs: number;
}

/**
 * Tells the handler what is this consumer's. Assignments follow one another: joined, records and
 * commits, then given up (`revoked`) or gone (`lost`), then joined again.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions;
  #held: HeldPartitions | undefined;
  #givingUp: Promise<void> | undefined;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
  }

  /** The assignment that holds now, or is being given up. */
  get held(): HeldPartitions | undefined {
    return this.#held;
  }

  joined(membership: Membership, partitions: readonly number[]): HeldPartitions {
    const held = new HeldPartitions(membership, partitions);
    this.#held = held;
    this.#options.handler.assigned(partitions);
    return held;
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const { topic } = this.#options.request;
    const held = this.#held;
    const isHeld = [...offsets.keys()].every((partition) => held?.commits(partition));
    if (!held || !isHeld) throw assignmentLost(topic);
    if (offsets.size === 0) return;
    try {
      await commitOffsets(held, topic, offsets);
    } catch (error) {
      if (isExpelled(error)) this.#lose(held);
      throw error;
    }
  }

  /** Gives up what is held, when the handler has finished it or had its time. */
  giveUp(): Promise<void> {
    const held = this.#held;
    if (!held) return Promise.resolve();
    this.#givingUp ??= this.#drain(held).finally(() => {
      this.#givingUp = undefined;
      if (this.#held === held) this.#held = undefined;
    });
    return this.#givingUp;
  }

  /** What is held is gone. */
  lose(): void {
    if (this.#held) this.#lose(this.#held);
    this.#held = undefined;
  }

  async #drain(held: HeldPartitions): Promise<void> {
    const { request, handler, heartbeatIntervalMs } = this.#options;
    held.stopTaking();
    if (held.partitions.length === 0 || held.isOver) return held.end();
    const stayAlive = async (): Promise<void> => {
      if (!(await isStillMember(held.membership))) this.#lose(held);
    };
    await settlesWithin(stayAlive(), heartbeatIntervalMs);
    if (held.isOver) return;
    // Members are asked to join again, and only while they are heard of is the group waiting.
    const heartbeats = setInterval(() => void stayAlive(), heartbeatIntervalMs);
    const revoked = handler.revoked(held.partitions);
    await settlesWithin(Promise.race([revoked, held.over]), request.drainMs);
    clearInterval(heartbeats);
    held.end();
  }

  #lose(held: HeldPartitions): void {
    if (held.isOver) return;
    held.end();
    if (held.partitions.length > 0) this.#options.handler.lost(held.partitions);
  }
}

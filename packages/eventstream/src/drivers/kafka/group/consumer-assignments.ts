import { settlesWithin } from '@posthaste/contracts';
import type { SubscriptionHandler, SubscriptionRequest } from '../../../driver.js';
import { isFenced } from '../connection/kafka-errors.js';
import { assignmentLost, commitOffsets, isStillMember } from './member-requests.js';
import type { GroupGeneration } from './membership.js';
import { PartitionAssignment } from './partition-assignment.js';

export interface ConsumerAssignmentsOptions {
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly heartbeatIntervalMs: number;
}

/**
 * Tells the handler what is this consumer's. Assignments follow one another: joined, records and
 * commits, then given up (`revoked`) or gone (`lost`), then joined again.
 */
export class ConsumerAssignments {
  readonly #options: ConsumerAssignmentsOptions;
  #held: PartitionAssignment | undefined;
  #givingUp: Promise<void> | undefined;

  constructor(options: ConsumerAssignmentsOptions) {
    this.#options = options;
  }

  /** The assignment that holds now, or is being given up. */
  get current(): PartitionAssignment | undefined {
    return this.#held;
  }

  begin(membership: GroupGeneration, partitions: readonly number[]): PartitionAssignment {
    const held = new PartitionAssignment(membership, partitions);
    this.#held = held;
    this.#options.handler.assigned(partitions);
    return held;
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const { topic } = this.#options.request;
    const held = this.#held;
    const isHeld = [...offsets.keys()].every((partition) => held?.acceptsCommits(partition));
    if (!held || !isHeld) throw assignmentLost(topic);
    if (offsets.size === 0) return;
    try {
      await commitOffsets(held, topic, offsets);
    } catch (error) {
      if (isFenced(error)) this.#lose(held);
      throw error;
    }
  }

  /** Gives up what is held, when the handler has finished it or had its time. */
  revoke(): Promise<void> {
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

  async #drain(held: PartitionAssignment): Promise<void> {
    const { request, handler, heartbeatIntervalMs } = this.#options;
    held.startRevoking();
    if (held.partitions.length === 0 || held.isEnded) return held.end();
    const stayAlive = async (): Promise<void> => {
      if (!(await isStillMember(held.generation))) this.#lose(held);
    };
    await settlesWithin(stayAlive(), heartbeatIntervalMs);
    if (held.isEnded) return;
    // Members are asked to join again, and only while they are heard of is the group waiting.
    const heartbeats = setInterval(() => void stayAlive(), heartbeatIntervalMs);
    const revoked = handler.revoked(held.partitions);
    await settlesWithin(Promise.race([revoked, held.ended]), request.drainMs);
    clearInterval(heartbeats);
    held.end();
  }

  #lose(held: PartitionAssignment): void {
    if (held.isEnded) return;
    held.end();
    if (held.partitions.length > 0) this.#options.handler.lost(held.partitions);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, PlatformError, settlesWithin } from '@posthaste/contracts';
import type { SubscriptionHandler, SubscriptionRequest } from '../../../driver.js';
import { isFenced, toPlatformError } from '../connection/kafka-errors.js';
import { type GroupGeneration, PartitionAssignment } from './partition-assignment.js';

const commitTries = 5;
/** Waits of 1.5 to 3 s in all: a group gets a new coordinator in that time. */
const commitBackoff = { initialMs: 200, maxMs: 1_600 };

export interface ConsumerAssignmentsOptions {
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly heartbeatIntervalMs: number;
}

/**
 * The assignments of one session, one after the other: each begins with a join, brings records and
 * takes commits, and ends by being revoked (in order) or lost (without notice). Calls the handler
 * accordingly. Both client libraries commit through here.
 *
 * A library may call hooks of a session that has ended. They find no assignment here then, and
 * begin none: those of the next session are in another object.
 */
export class ConsumerAssignments {
  readonly #options: ConsumerAssignmentsOptions;
  #current: PartitionAssignment | undefined;
  #hasEnded = false;
  #revoking: { readonly assignment: PartitionAssignment; readonly done: Promise<void> } | undefined;

  constructor(options: ConsumerAssignmentsOptions) {
    this.#options = options;
  }

  /** The assignment that is active or being revoked. */
  get current(): PartitionAssignment | undefined {
    return this.#current;
  }

  /**
   * Begins the assignment of a new generation; the one before it has ended. Returns undefined if
   * the session has ended.
   */
  begin(
    generation: GroupGeneration,
    partitions: readonly number[],
  ): PartitionAssignment | undefined {
    if (this.#hasEnded) return undefined;
    const assignment = new PartitionAssignment(generation, partitions);
    this.#current = assignment;
    this.#options.handler.assigned(partitions);
    return assignment;
  }

  /**
   * Commits the offsets of the next records to read, by partition.
   * @throws PlatformError `STREAM_ASSIGNMENT_LOST`, or the reason why the coordinator does not
   * answer
   */
  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const assignment = this.#current;
    const partitions = [...offsets.keys()];
    if (!assignment || !partitions.every((partition) => assignment.acceptsCommits(partition))) {
      throw toLostError(this.#options.request.topic);
    }
    if (offsets.size === 0) return;
    try {
      await this.commitAs(assignment, offsets);
    } catch (error) {
      if (isFenced(error)) this.#lose(assignment);
      throw error;
    }
  }

  /**
   * Commits as the member that got this assignment, never as that of a later one: a commit that
   * comes late must not overwrite what the partition's next owner has committed.
   * @throws PlatformError `STREAM_ASSIGNMENT_LOST`, or the reason why the coordinator does not
   * answer
   */
  async commitAs(
    assignment: PartitionAssignment,
    offsets: ReadonlyMap<number, bigint>,
  ): Promise<void> {
    const { topic } = this.#options.request;
    for (let failed = 1; ; failed++) {
      if (assignment.isEnded) throw toLostError(topic);
      try {
        await assignment.generation.commit(offsets);
        return;
      } catch (error) {
        const failure = toPlatformError(error, `commit offsets of ${topic}`);
        if (failure.code === 'STREAM_ASSIGNMENT_LOST' || failed === commitTries) throw failure;
      }
      await sleep(backoffMs(failed, commitBackoff, Math.random()));
    }
  }

  /** Ends the current assignment when the handler has finished its records, or had its time. */
  revoke(): Promise<void> {
    const assignment = this.#current;
    if (!assignment) return Promise.resolve();
    if (this.#revoking?.assignment !== assignment) {
      const done = this.#drain(assignment).finally(() => {
        if (this.#current === assignment) this.#current = undefined;
      });
      this.#revoking = { assignment, done };
    }
    return this.#revoking.done;
  }

  /**
   * Ends the current assignment at once, because the session has ended: the partitions belong to
   * other members, or no broker can be asked. No other assignment begins.
   */
  end(): void {
    this.#hasEnded = true;
    if (this.#current) this.#lose(this.#current);
    this.#current = undefined;
  }

  async #drain(assignment: PartitionAssignment): Promise<void> {
    const { request, handler, heartbeatIntervalMs } = this.#options;
    assignment.startRevoking();
    if (assignment.partitions.length === 0 || assignment.isEnded) return assignment.end();
    const sendHeartbeat = async (): Promise<void> => {
      if (!(await isStillMember(assignment.generation))) this.#lose(assignment);
    };
    await settlesWithin(sendHeartbeat(), heartbeatIntervalMs);
    if (assignment.isEnded) return;
    // The group waits for a member in a rebalance only while it sends heartbeats.
    const heartbeats = setInterval(() => void sendHeartbeat(), heartbeatIntervalMs);
    const revoked = handler.revoked(assignment.partitions);
    await settlesWithin(Promise.race([revoked, assignment.ended]), request.drainMs);
    clearInterval(heartbeats);
    assignment.end();
  }

  #lose(assignment: PartitionAssignment): void {
    if (assignment.isEnded) return;
    assignment.end();
    if (assignment.partitions.length > 0) this.#options.handler.lost(assignment.partitions);
  }
}

/** False if the group has gone on without this member. True also if nobody answers. */
async function isStillMember(generation: GroupGeneration): Promise<boolean> {
  try {
    await generation.heartbeat();
    return true;
  } catch (error) {
    // A rebalance in progress asks the member to join again, which is still in the group.
    return !isFenced(error);
  }
}

function toLostError(topic: string): PlatformError {
  return new PlatformError(
    'STREAM_ASSIGNMENT_LOST',
    `the partitions of ${topic} are no longer assigned to this consumer`,
  );
}

import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, PlatformError } from '@posthaste/contracts';
import { isFenced, toPlatformError } from '../connection/kafka-errors.js';
import type { GroupGeneration } from './membership.js';
import type { PartitionAssignment } from './partition-assignment.js';

const commitTries = 5;
const commitBackoff = { initialMs: 100, maxMs: 1_600 };

/**
 * Commits as the member that holds the partitions, never as that of a later assignment.
 * @throws PlatformError `STREAM_ASSIGNMENT_LOST`, or why the coordinator does not answer
 */
export async function commitOffsets(
  held: PartitionAssignment,
  topic: string,
  offsets: ReadonlyMap<number, bigint>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    if (held.isEnded) throw assignmentLost(topic);
    try {
      await held.generation.commit(offsets);
      return;
    } catch (error) {
      const failure = toPlatformError(error, `commit offsets of ${topic}`);
      if (failure.code === 'STREAM_ASSIGNMENT_LOST' || attempt === commitTries) throw failure;
    }
    await sleep(backoffMs(attempt, commitBackoff, Math.random()));
  }
}

/** False when the group has gone on without the member; true also when nobody answers. */
export async function isStillMember(membership: GroupGeneration): Promise<boolean> {
  try {
    await membership.heartbeat();
    return true;
  } catch (error) {
    // A rebalance in progress is no news: the member is asked to join again, and still in the group.
    return !isFenced(error);
  }
}

export function assignmentLost(topic: string): PlatformError {
  return new PlatformError(
    'STREAM_ASSIGNMENT_LOST',
    `partitions of ${topic} are not this consumer's any more`,
  );
}

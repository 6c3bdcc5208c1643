import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type { Membership } from './group-coordinator.js';
import type { HeldPartitions } from './held-partitions.js';
import { toPlatformError } from './kafka-failure.js';

const commitTries = 5;
const commitBackoffMs = 100;

export interface GroupTopic {
  readonly groupId: string;
  readonly topic: string;
}

/**
 * Commits as the member that holds the partitions, so that the coordinator refuses what comes after
 * a rebalance. (kafkajs would commit it as the member of the next generation.)
 * @throws PlatformError `STREAM_ASSIGNMENT_LOST`, or why the coordinator does not answer
 */
export async function commitOffsets(
  held: HeldPartitions,
  { groupId, topic }: GroupTopic,
  offsets: ReadonlyMap<number, bigint>,
): Promise<void> {
  const { coordinator, memberId, generationId } = held.membership;
  const partitions = [...offsets].map(([partition, offset]) => ({
    partition,
    offset: `${offset}`,
  }));
  const request = { groupId, memberId, groupGenerationId: generationId };
  for (let attempt = 1; ; attempt++) {
    if (held.isOver) throw assignmentLost(topic);
    try {
      await coordinator.offsetCommit({ ...request, topics: [{ topic, partitions }] });
      return;
    } catch (error) {
      const failure = toPlatformError(error, `commit offsets of ${topic}`);
      if (failure.code === 'STREAM_ASSIGNMENT_LOST' || attempt === commitTries) throw failure;
    }
    await sleep(commitBackoffMs * 2 ** (attempt - 1));
  }
}

/**
 * Tells the coordinator that the member is there.
 * @returns false when it is not in the group any more; true also when nobody answers
 */
export async function isStillMember(
  { coordinator, memberId, generationId }: Membership,
  groupId: string,
): Promise<boolean> {
  try {
    await coordinator.heartbeat({ groupId, memberId, groupGenerationId: generationId });
    return true;
  } catch (error) {
    // A rebalance in progress is no news: the member is asked to join again, and still in the group.
    return !isExpelled(error);
  }
}

/** Whether the group has gone on without the member. */
export function isExpelled(error: unknown): boolean {
  const cause = error instanceof PlatformError ? error.cause : error;
  const type = (cause as { readonly type?: unknown } | undefined)?.type;
  return type === 'UNKNOWN_MEMBER_ID' || type === 'ILLEGAL_GENERATION';
}

export function assignmentLost(topic: string): PlatformError {
  return new PlatformError(
    'STREAM_ASSIGNMENT_LOST',
    `partitions of ${topic} are not this consumer's any more`,
  );
}

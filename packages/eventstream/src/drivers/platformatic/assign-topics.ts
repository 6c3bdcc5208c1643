import type { GroupPartitionsAssigner } from '@platformatic/kafka';
import { assignRange } from '../kafka/group/assignors.js';

/**
 * Assigns as `range` does, whichever of the assignors the members agreed on: the leader decides, and
 * the name only tells how.
 */
export const assignTopics: GroupPartitionsAssigner = (_, members, __, { topics }) => {
  const subscriptions = [...members].map(([memberId, member]) => ({
    memberId,
    topics: member.topics ?? [],
  }));
  const counts = new Map(
    [...topics].map(([topic, { partitionsCount }]) => [topic, partitionsCount]),
  );
  return [...assignRange(subscriptions, counts)].map(([memberId, assigned]) => ({
    memberId,
    assignments: new Map(
      [...assigned].map(([topic, partitions]) => [topic, { topic, partitions }]),
    ),
  }));
};

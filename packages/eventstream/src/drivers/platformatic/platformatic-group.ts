import {
  type Consumer,
  type GroupPartitionsAssigner,
  heartbeatV4,
  offsetCommitV8,
} from '@platformatic/kafka';
import { PlatformError } from '@posthaste/contracts';
import { assignRange } from '../kafka/group/assignors.js';
import type { GroupGeneration } from '../kafka/group/partition-assignment.js';

type Connection = Awaited<ReturnType<Consumer['connections']['get']>>;

/** Topic and fields by which a request names its member and generation. */
export interface MemberIdentity {
  readonly topic: string;
  readonly memberId: string;
  readonly generationId: number;
}

/**
 * Returns the requests of one generation (OffsetCommit version 8, Heartbeat version 4). The
 * consumer's own commit is not used: if it is refused, the consumer joins again, and then commits
 * offsets of partitions that another member may have by then. Its own heartbeats stop while it
 * waits to join.
 */
export function toGeneration(
  consumer: Consumer,
  { topic, memberId, generationId }: MemberIdentity,
): GroupGeneration {
  const { groupId, groupInstanceId } = consumer;
  return {
    commit: async (offsets) => {
      const partitions = [...offsets].map(([partitionIndex, committedOffset]) => ({
        partitionIndex,
        committedOffset,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      }));
      const topics = [{ name: topic, partitions }];
      const connection = await connectToCoordinator(consumer);
      const identity = [groupId, generationId, memberId, groupInstanceId] as const;
      await offsetCommitV8.api.async(connection, ...identity, topics);
    },
    heartbeat: async () => {
      const connection = await connectToCoordinator(consumer);
      await heartbeatV4.api.async(connection, groupId, generationId, memberId, groupInstanceId);
    },
  };
}

async function connectToCoordinator(consumer: Consumer): Promise<Connection> {
  const coordinatorId = await consumer.findGroupCoordinator();
  const broker = consumer.currentMetadata?.brokers.get(coordinatorId);
  if (!broker) throw new PlatformError('STREAM_UNAVAILABLE', 'the group has no coordinator now');
  return consumer.connections.get(broker);
}

/**
 * Assigns as `range` does, also if the members have agreed on `roundrobin`: every member takes what
 * the leader of the group has assigned, whichever assignor that was.
 */
// biome-ignore lint/complexity/useMaxParams: @platformatic/kafka calls it with these.
export const assignPartitions: GroupPartitionsAssigner = (_, members, __, { topics }) => {
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

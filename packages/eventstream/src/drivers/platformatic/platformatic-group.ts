import { type Consumer, heartbeatV4, offsetCommitV8 } from '@platformatic/kafka';
import { PlatformError } from '@posthaste/contracts';
import type { GroupGeneration } from '../kafka/group/membership.js';

type Connection = Awaited<ReturnType<Consumer['connections']['get']>>;

/** As which member a request is made. */
export interface MemberIdentity {
  readonly topic: string;
  readonly memberId: string;
  readonly generationId: number;
}

/**
 * Commits and heartbeats of one generation. The consumer's own commit joins the group again when it
 * is refused, and then commits what may be somebody else's by then; its heartbeats rest while it
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

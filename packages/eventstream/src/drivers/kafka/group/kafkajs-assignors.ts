import { type Assigner, AssignerProtocol, type Cluster, type PartitionAssigner } from 'kafkajs';
import {
  assignRange,
  assignRoundRobin,
  type GroupAssignor,
  type MemberTopics,
} from './assignors.js';

const { MemberAssignment, MemberMetadata } = AssignerProtocol;

/** Version of the member protocol that every client reads. */
const version = 0;

/** The assignor that Java and Go clients know as `range`. */
export const createRangeAssignor: PartitionAssigner = ({ cluster }) =>
  createAssignor('range', assignRange, cluster);

/** The assignor that Java and Go clients know as `roundrobin`. */
export const createRoundRobinAssignor: PartitionAssigner = ({ cluster }) =>
  createAssignor('roundrobin', assignRoundRobin, cluster);

function createAssignor(name: string, assign: GroupAssignor, cluster: Cluster): Assigner {
  return {
    name,
    version,
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({ version, topics, userData: Buffer.alloc(0) }),
    }),
    assign: async ({ members }) => {
      // Each member has its own topics: kafkajs tells only those of this one.
      const subscriptions = members.map(({ memberId, memberMetadata }) => ({
        memberId,
        topics: MemberMetadata.decode(memberMetadata)?.topics ?? [],
      }));
      const assignments = assign(subscriptions, await countPartitions(cluster, subscriptions));
      return [...assignments].map(([memberId, topics]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version,
          assignment: Object.fromEntries(topics),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  };
}

async function countPartitions(
  cluster: Cluster,
  members: readonly MemberTopics[],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const topic of new Set(members.flatMap(({ topics }) => topics))) {
    // A topic that is missing must not keep the group from those that are there.
    await cluster.addMultipleTargetTopics([topic]).catch(() => undefined);
    counts.set(topic, cluster.findTopicPartitionMetadata(topic).length);
  }
  return counts;
}

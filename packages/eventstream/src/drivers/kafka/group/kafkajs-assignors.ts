import { type Assigner, AssignerProtocol, type Cluster, type PartitionAssigner } from 'kafkajs';
import {
  assignRange,
  assignRoundRobin,
  type GroupAssignor,
  type MemberTopics,
} from './assignors.js';

const { MemberAssignment, MemberMetadata } = AssignerProtocol;

/** Version of the consumer protocol (member metadata and assignment) that every client reads. */
const protocolVersion = 0;

/** The assignor `range` of Java and Go clients. */
export const createRangeAssignor: PartitionAssigner = ({ cluster }) =>
  createAssignor('range', assignRange, cluster);

/** The assignor `roundrobin` of Java and Go clients. */
export const createRoundRobinAssignor: PartitionAssigner = ({ cluster }) =>
  createAssignor('roundrobin', assignRoundRobin, cluster);

function createAssignor(name: string, assign: GroupAssignor, cluster: Cluster): Assigner {
  return {
    name,
    version: protocolVersion,
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({
        version: protocolVersion,
        topics,
        userData: Buffer.alloc(0),
      }),
    }),
    assign: async ({ members }) => {
      // Members may subscribe to different topics; kafkajs passes only the topics of this one.
      const subscriptions = members.map(({ memberId, memberMetadata }) => ({
        memberId,
        topics: MemberMetadata.decode(memberMetadata)?.topics ?? [],
      }));
      const assignments = assign(subscriptions, await countPartitions(cluster, subscriptions));
      return [...assignments].map(([memberId, topics]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: protocolVersion,
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
    // A missing topic must not keep the group from reading the others.
    await cluster.addMultipleTargetTopics([topic]).catch(() => undefined);
    counts.set(topic, cluster.findTopicPartitionMetadata(topic).length);
  }
  return counts;
}

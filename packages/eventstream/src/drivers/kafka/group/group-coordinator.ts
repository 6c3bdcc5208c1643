import type { Broker, Cluster } from 'kafkajs';
import { isFenced } from '../connection/kafka-errors.js';
import { type CreateRequest, wrapRequest } from '../connection/kafkajs-internals.js';
import type { GroupGeneration } from './membership.js';

/** Number of the JoinGroup request in the protocol. */
const joinGroupKey = 11;

type CommittedOffsets = Awaited<ReturnType<Broker['offsetFetch']>>['responses'];

interface JoinRequest {
  readonly groupId: string;
  readonly memberId: string;
}

/** A broker as kafkajs asks it, being a group's coordinator; its types leave the group out. */
export interface Coordinator extends Pick<Broker, 'offsetCommit' | 'offsetFetch'> {
  joinGroup(request: JoinRequest): Promise<{ memberId: string; generationId: number }>;
  leaveGroup(request: object): Promise<unknown>;
  heartbeat(request: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
  }): Promise<unknown>;
}

export interface CoordinatorHooks {
  /** The topic that commits are for. */
  readonly topic: string;
  /** Static membership; undefined: dynamic. */
  readonly groupInstanceId: string | undefined;
  /** kafkajs is about to join, for the first time or again, and waits for this. */
  beforeJoin(): Promise<void>;
  /** Id under which the group may still wait for this consumer's predecessor. */
  formerMemberId(): string | undefined;
  /** The group does not know this consumer any more, under any id. */
  memberForgotten(): void;
  /** A new generation began; partitions are not assigned yet. */
  joined(membership: GroupGeneration, memberId: string): void;
  /** The group has these offsets; those of partitions without one are negative. */
  offsetsFetched(committed: CommittedOffsets): void;
}

/**
 * Lets `hooks` take part in how kafkajs joins a group: it has no place of its own for giving up
 * partitions before a rebalance, keeps what a member needs to commit to itself, and knows nothing of
 * static membership. Looking for the coordinator is the first step of every join, and of nothing else.
 */
export function watchGroup(cluster: Cluster, hooks: CoordinatorHooks): void {
  const watched = new WeakSet<object>();
  const find = cluster.findGroupCoordinator.bind(cluster);
  cluster.findGroupCoordinator = async (group) => {
    await hooks.beforeJoin();
    const broker = await find(group);
    const coordinator = broker as Broker & Coordinator;
    if (!watched.has(coordinator)) watchCoordinator(coordinator, hooks);
    watched.add(coordinator);
    const { groupInstanceId } = hooks;
    if (groupInstanceId !== undefined) {
      wrapRequest(coordinator, joinGroupKey, (create) => withInstanceId(create, groupInstanceId));
    }
    return coordinator;
  };
}

function watchCoordinator(coordinator: Coordinator, hooks: CoordinatorHooks): void {
  const join = coordinator.joinGroup.bind(coordinator);
  coordinator.joinGroup = async (request) => {
    const group = await join(withFormerId(request, hooks)).catch((error: unknown) => {
      // A broker that just came back answers with other errors before it knows its groups again.
      if (isFenced(error)) hooks.memberForgotten();
      throw error;
    });
    const { memberId, generationId } = group;
    const member = { groupId: request.groupId, memberId, groupGenerationId: generationId };
    hooks.joined(toGeneration(coordinator, hooks.topic, member), memberId);
    return group;
  };
  const leave = coordinator.leaveGroup.bind(coordinator);
  coordinator.leaveGroup = async (request) => {
    // A static member comes back: leaving would start the rebalance that it is there to avoid.
    if (hooks.groupInstanceId !== undefined) return;
    await leave(request);
    hooks.memberForgotten();
  };
  const readOffsets = coordinator.offsetFetch.bind(coordinator);
  coordinator.offsetFetch = async (request) => {
    const answer = await readOffsets(request);
    hooks.offsetsFetched(answer.responses);
    return answer;
  };
}

/** kafkajs's own commits are made as the member of the next generation when they come late. */
function toGeneration(
  coordinator: Coordinator,
  topic: string,
  member: {
    readonly groupId: string;
    readonly memberId: string;
    readonly groupGenerationId: number;
  },
): GroupGeneration {
  return {
    commit: async (offsets) => {
      const partitions = [...offsets].map(([partition, offset]) => ({
        partition,
        offset: `${offset}`,
      }));
      await coordinator.offsetCommit({ ...member, topics: [{ topic, partitions }] });
    },
    heartbeat: async () => {
      await coordinator.heartbeat(member);
    },
  };
}

/**
 * After a crash of the client or the broker the group waits for the member that was, until its
 * session ends: half a minute without a record, unless its successor comes under the same id.
 */
function withFormerId(request: JoinRequest, hooks: CoordinatorHooks): JoinRequest {
  const memberId = request.memberId || hooks.formerMemberId();
  return memberId === undefined ? request : { ...request, memberId };
}

/** Adds the id of static membership, which kafkajs encodes if it is given, and never gives. */
function withInstanceId(createRequest: CreateRequest, groupInstanceId: string): CreateRequest {
  return (args) => createRequest({ ...args, groupInstanceId });
}

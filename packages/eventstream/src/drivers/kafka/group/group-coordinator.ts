/**
 * Takes part in how kafkajs joins a group, by replacing functions of one cluster object and of its
 * broker objects. kafkajs has no hook for revoking partitions before a rebalance, does not show
 * what a member needs for its commits, and does not know static membership.
 */

import type { Broker, Cluster } from 'kafkajs';
import { isFenced } from '../connection/kafka-errors.js';
import { type CreateRequest, wrapRequest } from '../connection/kafkajs-internals.js';
import type { GroupGeneration } from './partition-assignment.js';

/** Number of the JoinGroup request in Kafka's protocol. */
const joinGroupKey = 11;

type CommittedOffsets = Awaited<ReturnType<Broker['offsetFetch']>>['responses'];

interface JoinRequest {
  readonly groupId: string;
  readonly memberId: string;
}

/** Fields by which a request names its member and generation. */
interface MemberFields {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupGenerationId: number;
}

/** A broker object in its role as a group's coordinator, which kafkajs's types leave out. */
interface Coordinator extends Pick<Broker, 'offsetCommit' | 'offsetFetch'> {
  joinGroup(request: JoinRequest): Promise<{ memberId: string; generationId: number }>;
  leaveGroup(request: object): Promise<unknown>;
  heartbeat(request: MemberFields): Promise<unknown>;
}

export interface CoordinatorHooks {
  /** Topic of the subscription: commits are for it. */
  readonly topic: string;
  /** Id of static membership; undefined for dynamic membership. */
  readonly groupInstanceId: string | undefined;
  /** Called before each join, the first one included. kafkajs waits for it. */
  beforeJoin(): Promise<void>;
  /** Returns the member id of this consumer's predecessor, if the group may still wait for it. */
  formerMemberId(): string | undefined;
  /** Called when the group does not know this consumer any more, under any id. */
  memberForgotten(): void;
  /** Called when a new generation has begun. Its partitions are not assigned yet. */
  joined(generation: GroupGeneration, memberId: string): void;
  /** Called with the offsets that the group has committed; negative where it has none. */
  offsetsFetched(committed: CommittedOffsets): void;
}

/**
 * Calls `hooks` when the consumer of this cluster object joins and leaves its group. A lookup of
 * the coordinator is the first step of every join, and of nothing else.
 */
export function watchGroup(cluster: Cluster, hooks: CoordinatorHooks): void {
  const watched = new WeakSet<object>();
  const findCoordinator = cluster.findGroupCoordinator.bind(cluster);
  cluster.findGroupCoordinator = async (group) => {
    await hooks.beforeJoin();
    const broker = await findCoordinator(group);
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
  const joinGroup = coordinator.joinGroup.bind(coordinator);
  coordinator.joinGroup = async (request) => {
    const group = await joinGroup(withFormerId(request, hooks)).catch((error: unknown) => {
      // A broker that has just restarted answers with other errors until it has loaded its groups.
      if (isFenced(error)) hooks.memberForgotten();
      throw error;
    });
    const { memberId, generationId } = group;
    const member = { groupId: request.groupId, memberId, groupGenerationId: generationId };
    hooks.joined(toGeneration(coordinator, hooks.topic, member), memberId);
    return group;
  };
  const leaveGroup = coordinator.leaveGroup.bind(coordinator);
  coordinator.leaveGroup = async (request) => {
    // A static member comes back: leaving would start the rebalance that it is meant to avoid.
    if (hooks.groupInstanceId !== undefined) return;
    await leaveGroup(request);
    hooks.memberForgotten();
  };
  const offsetFetch = coordinator.offsetFetch.bind(coordinator);
  coordinator.offsetFetch = async (request) => {
    const response = await offsetFetch(request);
    hooks.offsetsFetched(response.responses);
    return response;
  };
}

/**
 * Returns the requests of one generation. The consumer's own commit is not used: when it comes
 * late, kafkajs sends it as the member of the next generation.
 */
function toGeneration(
  coordinator: Coordinator,
  topic: string,
  member: MemberFields,
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
 * Lets a new consumer join under the member id of its predecessor. After a crash of the client or
 * of the broker, the group would else wait for the predecessor until its session ends: half a
 * minute without records.
 */
function withFormerId(request: JoinRequest, hooks: CoordinatorHooks): JoinRequest {
  const memberId = request.memberId || hooks.formerMemberId();
  return memberId === undefined ? request : { ...request, memberId };
}

/** Adds the id of static membership, which kafkajs encodes if it is given, and never gives. */
function withInstanceId(createRequest: CreateRequest, groupInstanceId: string): CreateRequest {
  return (args) => createRequest({ ...args, groupInstanceId });
}

/** Topics that one member of a group subscribes to. */
export interface MemberTopics {
  readonly memberId: string;
  readonly topics: readonly string[];
}

/** Partitions by topic, by member. Every member has an entry. */
export type GroupAssignment = Map<string, Map<string, number[]>>;

/** A function that distributes the partitions of topics over the members of a group. */
export type GroupAssignor = (
  members: readonly MemberTopics[],
  partitionCounts: ReadonlyMap<string, number>,
) => GroupAssignment;

/**
 * The assignor `range`, as in the Java client: of each topic, every member gets a run of
 * consecutive partitions, and the first members get one more if they do not divide evenly.
 */
export const assignRange: GroupAssignor = (members, partitionCounts) => {
  const assignment = createAssignment(members);
  for (const [topic, count] of partitionCounts) {
    const subscribers = subscribersOf(topic, members);
    const share = Math.floor(count / subscribers.length);
    const extra = count % subscribers.length;
    subscribers.forEach((memberId, index) => {
      const first = share * index + Math.min(index, extra);
      const end = first + share + (index < extra ? 1 : 0);
      addPartitions(assignment.get(memberId), topic, range(first, end));
    });
  }
  return assignment;
};

/**
 * The assignor `roundrobin`, as in the Java client: the partitions of all topics, in order, go to
 * one member after the other, past those that do not subscribe to the topic.
 */
export const assignRoundRobin: GroupAssignor = (members, partitionCounts) => {
  const assignment = createAssignment(members);
  const memberIds = sortedIds(members);
  let index = 0;
  for (const topic of [...partitionCounts.keys()].sort()) {
    const subscribers = new Set(subscribersOf(topic, members));
    if (subscribers.size === 0) continue;
    for (const partition of range(0, partitionCounts.get(topic) ?? 0)) {
      while (!subscribers.has(memberIds[index % memberIds.length] ?? '')) index++;
      addPartitions(assignment.get(memberIds[index % memberIds.length] ?? ''), topic, [partition]);
      index++;
    }
  }
  return assignment;
};

function createAssignment(members: readonly MemberTopics[]): GroupAssignment {
  return new Map(sortedIds(members).map((memberId) => [memberId, new Map()]));
}

function sortedIds(members: readonly MemberTopics[]): string[] {
  return members.map(({ memberId }) => memberId).sort();
}

function subscribersOf(topic: string, members: readonly MemberTopics[]): string[] {
  return sortedIds(members.filter(({ topics }) => topics.includes(topic)));
}

function addPartitions(
  topics: Map<string, number[]> | undefined,
  topic: string,
  partitions: readonly number[],
): void {
  if (partitions.length === 0) return;
  const assigned = topics?.get(topic);
  if (assigned) assigned.push(...partitions);
  else topics?.set(topic, [...partitions]);
}

function range(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
}

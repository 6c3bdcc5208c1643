/** What one member of a group wants to read. */
export interface MemberTopics {
  readonly memberId: string;
  readonly topics: readonly string[];
}

/** Partitions by topic, by member. Every member has an entry. */
export type GroupAssignment = Map<string, Map<string, number[]>>;

export type GroupAssignor = (
  members: readonly MemberTopics[],
  partitionCounts: ReadonlyMap<string, number>,
) => GroupAssignment;

/** Topic by topic, each member gets a run of partitions; the first members get one more. */
export const assignRange: GroupAssignor = (members, partitionCounts) => {
  const assignment = emptyAssignment(members);
  for (const [topic, count] of partitionCounts) {
    const readers = readersOf(topic, members);
    const share = Math.floor(count / readers.length);
    const extra = count % readers.length;
    readers.forEach((memberId, index) => {
      const first = share * index + Math.min(index, extra);
      const end = first + share + (index < extra ? 1 : 0);
      give(assignment, memberId, topic, range(first, end));
    });
  }
  return assignment;
};

/** All partitions of all topics are dealt out in turns, over the members that want their topic. */
export const assignRoundRobin: GroupAssignor = (members, partitionCounts) => {
  const assignment = emptyAssignment(members);
  const circle = sortedIds(members);
  let turn = 0;
  for (const topic of [...partitionCounts.keys()].sort()) {
    const readers = new Set(readersOf(topic, members));
    if (readers.size === 0) continue;
    for (const partition of range(0, partitionCounts.get(topic) ?? 0)) {
      while (!readers.has(circle[turn % circle.length] ?? '')) turn++;
      give(assignment, circle[turn % circle.length] ?? '', topic, [partition]);
      turn++;
    }
  }
  return assignment;
};

function emptyAssignment(members: readonly MemberTopics[]): GroupAssignment {
  return new Map(sortedIds(members).map((memberId) => [memberId, new Map()]));
}

function sortedIds(members: readonly MemberTopics[]): string[] {
  return members.map(({ memberId }) => memberId).sort();
}

function readersOf(topic: string, members: readonly MemberTopics[]): string[] {
  return sortedIds(members.filter(({ topics }) => topics.includes(topic)));
}

function give(
  assignment: GroupAssignment,
  memberId: string,
  topic: string,
  partitions: readonly number[],
): void {
  if (partitions.length === 0) return;
  const topics = assignment.get(memberId);
  const given = topics?.get(topic);
  if (given) given.push(...partitions);
  else topics?.set(topic, [...partitions]);
}

function range(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
}

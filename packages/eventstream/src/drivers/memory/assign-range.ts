/** Neighbouring partitions to each member, the first members one more: Kafka's `range`. */
export function assignRange(partitions: number, members: number): readonly (readonly number[])[] {
  const share = Math.floor(partitions / members);
  const larger = partitions % members;
  return Array.from({ length: members }, (_, member) => {
    const from = member * share + Math.min(member, larger);
    return Array.from({ length: share + (member < larger ? 1 : 0) }, (_, index) => from + index);
  });
}

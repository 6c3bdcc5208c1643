import type { GroupLag } from '../../../driver.js';
import type { OffsetRange } from './group-offsets.js';

/** Type of the groups of consumers, among others such as those of Connect. */
export const consumerProtocol = 'consumer';

/** What a group has not read yet. Offsets below 0, and none: it has committed nothing there. */
export function toGroupLag(
  groupId: string,
  topic: string,
  ranges: ReadonlyMap<number, OffsetRange>,
  committed: ReadonlyMap<number, bigint>,
): GroupLag {
  const sorted = [...ranges].sort(([a], [b]) => a - b);
  return {
    groupId,
    topic,
    partitions: sorted.map(([partition, { first, end }]) => {
      const offset = committed.get(partition) ?? -1n;
      const known = offset < 0n ? undefined : offset;
      const unread = end - (known ?? first);
      return { partition, committed: known, end, lag: unread > 0n ? unread : 0n };
    }),
  };
}

/** Whether a group has ever committed for the topic: else it is not one of its readers. */
export function hasCommitted({ partitions }: GroupLag): boolean {
  return partitions.some(({ committed }) => committed !== undefined);
}

import type { GroupState } from './member-store.js';

/** Number of shards to acquire or to release. At most one of the two is above 0. */
export interface ShareChange {
  readonly acquire: number;
  readonly release: number;
}

/**
 * Returns how a member comes to its share. The share is the number of shards divided by the number
 * of members, and one more for the eldest members if there is a remainder, so that all shares
 * together are all shards. A member keeps the shards that it owns up to its share, so that a change
 * moves no more shards than necessary.
 */
export function shareChange({ members, shards }: GroupState, member: string): ShareChange {
  const rank = members.indexOf(member);
  if (rank < 0) return { acquire: 0, release: 0 };
  const share =
    Math.floor(shards.length / members.length) + (rank < shards.length % members.length ? 1 : 0);
  const owned = shards.filter(({ owner }) => owner === member).length;
  const free = shards.filter(({ owner }) => owner === undefined).length;
  return {
    acquire: Math.max(0, Math.min(free, share - owned)),
    release: Math.max(0, owned - share),
  };
}

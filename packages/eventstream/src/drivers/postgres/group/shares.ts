import type { GroupState } from './member-store.js';

/** What a member should do to come to its share. At most one of the two is above 0. */
export interface ShareChange {
  readonly acquire: number;
  readonly release: number;
}

/**
 * A member's share is the number of shards by the number of members, and one more for the eldest
 * where that does not come out even: the shares of all are then exactly the shards. A member keeps
 * what it has up to its share, so that a change moves no more shards than it must.
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

/**
 * Members of consumer groups and the shards that they own.
 *
 * A member's lease is its row in `member`, which the member renews. A member owns a shard while the
 * shard's row in `group_offset` names it. When a lease has run out, the other members of the group
 * delete the row and free the shards: from then on that member can neither renew nor commit.
 * `epoch` counts the owners of a shard, and a commit names the epoch in which its records were
 * read.
 *
 * No leader divides the shards: each member releases what is above its share and acquires free
 * shards up to it (shares.ts). If two acquire the same shard, its row decides.
 */

import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';

/** Key of a member: its id and its group. */
export interface MemberKey {
  /** A UUID. */
  readonly member: string;
  /** The group's id. */
  readonly group: number;
}

/** A member that joins. */
export interface JoinRequest extends MemberKey {
  /** An earlier member with this id is replaced, and its shards are free at once. */
  readonly instanceId: string | undefined;
  readonly leaseMs: number;
}

/** Adds a member to its group. */
export async function joinGroup(
  tx: Transaction,
  { member, group, instanceId, leaseMs }: JoinRequest,
): Promise<void> {
  if (instanceId !== undefined) {
    const remove = 'delete from eventstream.member where group_id = $1 and instance_id = $2';
    await tx.query(remove, [group, instanceId]);
  }
  const insert = `insert into eventstream.member (id, group_id, instance_id, leased_until)
    values ($1, $2, $3, now() + $4 * interval '1 ms')`;
  await tx.query(insert, [member, group, instanceId ?? null, leaseMs]);
  await tx.query(freeStatement, [group]);
}

/** True if a member of the group has the instance id. */
export async function hasInstance(
  db: Queryable,
  group: number,
  instanceId: string,
): Promise<boolean> {
  const query = 'select from eventstream.member where group_id = $1 and instance_id = $2';
  return (await db.query(query, [group, instanceId])).rowCount > 0;
}

/** Removes a member and frees its shards. */
export async function leaveGroup(db: Database, { member, group }: MemberKey): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query('delete from eventstream.member where id = $1', [member]);
    await tx.query(freeStatement, [group]);
  });
}

/** Members and shards of a group. */
export interface GroupState {
  /** Living members, the eldest first. */
  readonly members: readonly string[];
  readonly shards: readonly { readonly shard: number; readonly owner: string | undefined }[];
}

const renewStatement: Statement = {
  name: 'eventstream_renew',
  text: `
update eventstream.member set leased_until = now() + $2 * interval '1 ms' where id = $1`,
};

const expireStatement: Statement = {
  name: 'eventstream_expire',
  text: `
delete from eventstream.member m using (
  select id from eventstream.member where group_id = $1 and leased_until < now()
  for update skip locked
) as expired where m.id = expired.id`,
};

/**
 * Frees shards whose owner is not a member any more. Skips locked rows: another member that frees
 * them has the lock.
 */
const freeStatement: Statement = {
  name: 'eventstream_free',
  text: `
update eventstream.group_offset g set owner = null
from (
  select o.shard_id from eventstream.group_offset o
  where o.group_id = $1 and o.owner is not null
    and not exists (select from eventstream.member m where m.id = o.owner)
  for no key update skip locked
) as orphan
where g.group_id = $1 and g.shard_id = orphan.shard_id`,
};

const membersStatement: Statement = {
  name: 'eventstream_members',
  text: 'select id from eventstream.member where group_id = $1 order by joined_at, id',
};

const ownersStatement: Statement = {
  name: 'eventstream_owners',
  text: 'select shard_id, owner from eventstream.group_offset where group_id = $1 order by shard_id',
};

/**
 * Renews the lease, and frees the shards of members whose lease has run out. Undefined: the group
 * has removed this member.
 */
export function renewMember(
  db: Database,
  { member, group }: MemberKey,
  leaseMs: number,
): Promise<GroupState | undefined> {
  return db.transaction(async (tx) => {
    const [renewed, , , members, owners] = await Promise.all([
      tx.query(renewStatement, [member, leaseMs]),
      tx.query(expireStatement, [group]),
      tx.query(freeStatement, [group]),
      tx.query<{ id: string }>(membersStatement, [group]),
      tx.query<{ shard_id: number; owner: string | null }>(ownersStatement, [group]),
    ]);
    if (renewed.rowCount === 0) return undefined;
    return {
      members: members.rows.map(({ id }) => id),
      shards: owners.rows.map(({ shard_id: shard, owner }) => ({
        shard,
        owner: owner ?? undefined,
      })),
    };
  });
}

/** A shard that a member has acquired. */
export interface ShardAssignment {
  readonly shard: number;
  readonly epoch: bigint;
  /** Committed offset, from which reading continues. */
  readonly offset: bigint;
}

const acquireStatement: Statement = {
  name: 'eventstream_take',
  text: `
with free as (
  select g.shard_id from eventstream.group_offset g
  where g.group_id = $2 and g.owner is null
    and exists (select from eventstream.member m where m.id = $1)
  order by g.shard_id limit $3 for no key update skip locked
)
update eventstream.group_offset g set owner = $1, epoch = g.epoch + 1
from free where g.group_id = $2 and g.shard_id = free.shard_id
returning g.shard_id as shard, g.epoch, g."offset"`,
};

/** Acquires up to `limit` free shards. */
export async function acquireShards(
  db: Queryable,
  { member, group }: MemberKey,
  limit: number,
): Promise<ShardAssignment[]> {
  const { rows } = await db.query<ShardAssignment>(acquireStatement, [member, group, limit]);
  return rows;
}

/** Frees shards that the member owns. */
export async function releaseShards(
  db: Queryable,
  { member, group }: MemberKey,
  shards: readonly number[],
): Promise<void> {
  const update = `update eventstream.group_offset set owner = null
    where group_id = $1 and shard_id = any($2::integer[]) and owner = $3`;
  await db.query(update, [group, shards, member]);
}

/** An offset to commit, and the epoch in which its records were read. */
export interface CommitRow {
  readonly shard: number;
  readonly epoch: bigint;
  readonly offset: bigint;
}

const commitStatement: Statement = {
  name: 'eventstream_commit',
  text: `
update eventstream.group_offset g set "offset" = c.place, committed_at = now()
from unnest($3::integer[], $4::bigint[], $5::bigint[]) as c(shard, epoch, place)
where g.group_id = $1 and g.shard_id = c.shard and g.owner = $2 and g.epoch = c.epoch
returning g.shard_id`,
};

/** Commits offsets. Returns the shards that the member still owns; the others were not stored. */
export async function commitOffsets(
  db: Queryable,
  { member, group }: MemberKey,
  rows: readonly CommitRow[],
): Promise<ReadonlySet<number>> {
  const result = await db.query<{ shard_id: number }>(commitStatement, [
    group,
    member,
    rows.map(({ shard }) => shard),
    rows.map(({ epoch }) => epoch),
    rows.map(({ offset }) => offset),
  ]);
  return new Set(result.rows.map(({ shard_id }) => shard_id));
}

import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';

/**
 * Members of groups and the shards that they have.
 *
 * A member's lease is its row in `member`, which it renews; a shard is a member's when its row in
 * `group_offset` names it. What a member whose lease ran out has is taken by the others of the
 * group, who remove its row: from then on it can neither renew nor commit. `epoch` counts the owners
 * of a shard: a commit names the one under which its records were read.
 *
 * Nobody divides the shards: each member gives back what is above its share and takes what is free
 * up to it (shares.ts). The row of the shard decides between two who take the same.
 */
export interface JoinRequest {
  readonly member: string;
  readonly group: number;
  /** Replaces the member that has it, whose shards are free at once. */
  readonly instanceId: string | undefined;
  readonly leaseMs: number;
}

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

/** Whether a member has the instance id. */
export async function hasInstance(
  db: Queryable,
  group: number,
  instanceId: string,
): Promise<boolean> {
  const query = 'select from eventstream.member where group_id = $1 and instance_id = $2';
  return (await db.query(query, [group, instanceId])).rowCount > 0;
}

/** Gives up everything at once. */
export async function leaveGroup(db: Database, member: string, group: number): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query('delete from eventstream.member where id = $1', [member]);
    await tx.query(freeStatement, [group]);
  });
}

/** The group as a member finds it. */
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

/** Shards of nobody who is still a member. Nobody waits: who has the lock does the same. */
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

/** Renews the lease, and frees what the dead had; `undefined`: the member was taken for dead. */
export function renewMember(
  db: Database,
  member: string,
  group: number,
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

/** A shard that a member has. */
export interface ShardAssignment {
  readonly shard: number;
  readonly epoch: bigint;
  /** Where to read on. */
  readonly offset: bigint;
}

const takeStatement: Statement = {
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

/** Takes free shards, `limit` at most. */
export async function acquireShards(
  db: Queryable,
  member: string,
  group: number,
  limit: number,
): Promise<ShardAssignment[]> {
  const { rows } = await db.query<ShardAssignment>(takeStatement, [member, group, limit]);
  return rows;
}

export async function releaseShards(
  db: Queryable,
  member: string,
  group: number,
  shards: readonly number[],
): Promise<void> {
  const update = `update eventstream.group_offset set owner = null
    where group_id = $1 and shard_id = any($2::integer[]) and owner = $3`;
  await db.query(update, [group, shards, member]);
}

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

/** Stores offsets; gives the shards that are still the member's. */
export async function commitOffsets(
  db: Queryable,
  member: string,
  group: number,
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

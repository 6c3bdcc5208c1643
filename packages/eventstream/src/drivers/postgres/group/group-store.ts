import type { Queryable, Statement, Transaction } from '@posthaste/postgres';
import { offsetBeginning, offsetEnd } from '../../../driver.js';
import { readableEnds } from '../read/read-store.js';
import type { LogTopic } from '../storage/topic-directory.js';

/** Index: `consumer_group_topic_id_name_key`. */
const findGroupsStatement: Statement = {
  name: 'eventstream_groups',
  text: `
select id, topic_id from eventstream.consumer_group
where topic_id = any($1::integer[]) and name = $2`,
};

/** Finds the ids of the groups with this name, by the topic's id. */
export async function findGroups(
  db: Queryable,
  topics: readonly LogTopic[],
  name: string,
): Promise<ReadonlyMap<number, number>> {
  const ids = topics.map(({ id }) => id);
  const { rows } = await db.query<{ id: number; topic_id: number }>(findGroupsStatement, [
    ids,
    name,
  ]);
  return new Map(rows.map(({ id, topic_id: topic }) => [topic, id]));
}

/** Finds the id of a group. */
export async function findGroup(
  db: Queryable,
  topic: LogTopic,
  name: string,
): Promise<number | undefined> {
  return (await findGroups(db, [topic], name)).get(topic.id);
}

/** A group, and the start of a new one. */
export interface GroupStart {
  readonly groupId: string;
  /** `offsetBeginning`, `offsetEnd` or an offset, for every partition. */
  readonly startOffset: bigint;
}

/**
 * Returns the group's id, and creates the group if it is missing. A new group stores its start at
 * once: a consumer that takes over from one that died before its first commit must begin where that
 * one began.
 */
export async function ensureGroup(
  tx: Transaction,
  topic: LogTopic,
  start: GroupStart,
): Promise<number> {
  const known = await findGroup(tx, topic, start.groupId);
  if (known !== undefined) return known;
  const insert = `insert into eventstream.consumer_group (topic_id, name) values ($1, $2)
    on conflict do nothing returning id`;
  const { rows } = await tx.query<{ id: number }>(insert, [topic.id, start.groupId]);
  const id = rows[0]?.id;
  // Another transaction created it, and has committed by now.
  if (id === undefined) return ensureGroup(tx, topic, start);
  await storeStart(tx, { group: id, shards: topic.shards, startOffset: start.startOffset });
  return id;
}

interface StoredStart {
  readonly group: number;
  readonly shards: readonly number[];
  readonly startOffset: bigint;
}

async function storeStart(
  tx: Transaction,
  { group, shards, startOffset }: StoredStart,
): Promise<void> {
  const ends = await readableEnds(tx, shards);
  const offsets = shards.map((shard) => {
    if (startOffset === offsetEnd) return ends.get(shard)?.readable ?? 0n;
    return startOffset === offsetBeginning ? 0n : startOffset;
  });
  // The beginning is the first record that is left, so that no record counts as skipped.
  const insert = `insert into eventstream.group_offset (group_id, shard_id, "offset")
    select $1, s.id, case when $4 then s.first_offset else o.place end
    from unnest($2::integer[], $3::bigint[]) as o(shard, place)
    join eventstream.shard s on s.id = o.shard`;
  await tx.query(insert, [group, shards, offsets, startOffset === offsetBeginning]);
}

/** Deletes a group with its offsets and members. */
export async function deleteGroup(db: Queryable, topic: LogTopic, name: string): Promise<void> {
  const remove = 'delete from eventstream.consumer_group where topic_id = $1 and name = $2';
  await db.query(remove, [topic.id, name]);
}

/** A shard in which a group has records to read. */
export interface DueShard {
  readonly groupId: number;
  readonly shard: number;
  readonly topic: string;
  readonly partition: number;
}

interface DueRow {
  readonly group_id: number;
  readonly shard_id: number;
  readonly topic: string;
  readonly partition: number;
}

/**
 * Returns first the shard that was not read for the longest time. Excludes shards that a living
 * member of the group owns by a lease. Runs once per batch: it looks at the end of every shard.
 * Each row is found by the keys of `shard`, `consumer_group` and `group_offset`, however many there
 * are.
 */
export const dueStatement: Statement = {
  name: 'eventstream_due_shards',
  text: `
select g.group_id, g.shard_id, t.name as topic, s.partition
from eventstream.readable_end($1::integer[]) e
join eventstream.shard s on s.id = e.shard_id
join eventstream.topic t on t.id = s.topic_id
join eventstream.consumer_group c on c.topic_id = s.topic_id and c.name = $2
join eventstream.group_offset g on g.group_id = c.id and g.shard_id = s.id
where g."offset" < e.readable
  and (g.owner is null or not exists (
    select from eventstream.member m where m.id = g.owner and m.leased_until > now()
  ))
order by g.committed_at nulls first, g.shard_id`,
};

/** Finds the shards in which the group has records to read, whether or not others read them now. */
export async function findDueShards(
  tx: Transaction,
  shards: readonly number[],
  group: string,
): Promise<DueShard[]> {
  const { rows } = await tx.query<DueRow>(dueStatement, [shards, group]);
  return rows.map(({ group_id: groupId, shard_id: shard, topic, partition }) => {
    return { groupId, shard, topic, partition };
  });
}

/** A shard whose row is locked until the transaction ends. */
export interface ClaimedShard extends DueShard {
  readonly offset: bigint;
  readonly readable: bigint;
}

/** Index: `group_offset_pkey`. */
export const claimStatement: Statement = {
  name: 'eventstream_claim',
  text: `
select g."offset", e.readable
from eventstream.group_offset g
join eventstream.readable_end(array[$2::integer]) e on e.shard_id = g.shard_id
where g.group_id = $1 and g.shard_id = $2 and g."offset" < e.readable
  and (g.owner is null or not exists (
    select from eventstream.member m where m.id = g.owner and m.leased_until > now()
  ))
for no key update of g skip locked`,
};

/** Claims a due shard. Undefined: another reader has it, or has read it in the meantime. */
export async function claimShard(
  tx: Transaction,
  due: DueShard,
): Promise<ClaimedShard | undefined> {
  const { rows } = await tx.query<Pick<ClaimedShard, 'offset' | 'readable'>>(claimStatement, [
    due.groupId,
    due.shard,
  ]);
  const [row] = rows;
  return row && { ...due, ...row };
}

const advanceStatement: Statement = {
  name: 'eventstream_advance',
  text: `
update eventstream.group_offset set "offset" = $3, committed_at = clock_timestamp()
where group_id = $1 and shard_id = $2`,
};

/** Stores the group's offset in a claimed shard. */
export async function advanceGroup(
  tx: Transaction,
  { groupId, shard }: ClaimedShard,
  next: bigint,
): Promise<void> {
  await tx.query(advanceStatement, [groupId, shard, next]);
}

/** Sets the group's offsets by shard, also of shards that a consumer owns. */
export async function seekGroup(
  tx: Transaction,
  group: number,
  offsets: ReadonlyMap<number, bigint>,
): Promise<void> {
  const update = `update eventstream.group_offset g set "offset" = o.place
    from unnest($2::integer[], $3::bigint[]) as o(shard, place)
    where g.group_id = $1 and g.shard_id = o.shard`;
  await tx.query(update, [group, [...offsets.keys()], [...offsets.values()]]);
}

import type { Queryable, Statement } from '@posthaste/postgres';
import { createLeaseRenewal } from './node-lease.js';

/** Member of a channel, wherever it is connected. */
export interface MemberKey {
  readonly application: string;
  /** Normalised path. */
  readonly channel: string;
  readonly member: string;
}

/** Member with what it says about itself. */
export interface Member extends MemberKey {
  readonly data: unknown;
}

/** Row of a member: `data` is JSON that the database has parsed. */
type MemberRow = Member;

/** A node whose lease has ended has no members: others tell that they have left. */
const isElsewhere = (key: string): string => `exists (
    select from realtime.member o join realtime.node n on n.id = o.node_id
    where o.application = ${key}.application and o.channel = ${key}.channel
      and o.member = ${key}.member and o.node_id <> $1::uuid and n.expires_at > now()
  )`;

/**
 * Renews the lease of a node. Returns true if the node had none: others may have taken its members
 * away, so it joins all of them again.
 */
export const renewNode: ReturnType<typeof createLeaseRenewal> = createLeaseRenewal('node');

/** Sorted, so that two statements that join the same members lock their rows in one order. */
const joinStatement: Statement = {
  name: 'realtime_members_join',
  text: `
with lease as (
  select id from realtime.node where id = $1::uuid for key share
), asked as (
  select distinct on (application, channel, member) * from
    unnest($2::text[], $3::text[], $4::text[], $5::text[]) with ordinality
    as a (application, channel, member, data, n)
  order by application, channel, member, n desc
), joined as (
  insert into realtime.member as m (application, channel, member, node_id, data)
  select application, channel, member, lease.id, data::json from asked cross join lease
  order by application, channel, member
  on conflict (application, channel, member, node_id) do update set data = excluded.data
  returning m.application, m.channel, m.member, m.data, xmax = 0 as is_new
)
select j.application, j.channel, j.member, j.data from joined j
where j.is_new and not ${isElsewhere('j')}`,
};

/**
 * Adds members of a node, or replaces their data. Returns those that were on their channel nowhere
 * before: for `join`. Does nothing if the node has no lease: `renewNode` reports that.
 */
export async function joinMembers(
  db: Queryable,
  nodeId: string,
  members: readonly Member[],
): Promise<Member[]> {
  if (members.length === 0) return [];
  const data = members.map((member) => JSON.stringify(member.data ?? null));
  const values = [nodeId, ...toColumns(members), data];
  return (await db.query<MemberRow>(joinStatement, values)).rows;
}

const leaveStatement: Statement = {
  name: 'realtime_members_leave',
  text: `
with gone as (
  delete from realtime.member m
  using unnest($2::text[], $3::text[], $4::text[]) a (application, channel, member)
  where m.application = a.application and m.channel = a.channel and m.member = a.member
    and m.node_id = $1::uuid
  returning m.application, m.channel, m.member
)
select distinct g.* from gone g where not ${isElsewhere('g')}`,
};

/** Removes members of a node. Returns those that are on their channel nowhere else: for `leave`. */
export async function leaveMembers(
  db: Queryable,
  nodeId: string,
  members: readonly MemberKey[],
): Promise<MemberKey[]> {
  if (members.length === 0) return [];
  return (await db.query<MemberKey>(leaveStatement, [nodeId, ...toColumns(members)])).rows;
}

/** Nodes that another process removes at the same time are left to it. */
const removeDeadStatement: Statement = {
  name: 'realtime_nodes_remove_dead',
  text: `
with locked as (
  select id from realtime.node where expires_at <= now() order by id for update skip locked
), dead as (
  delete from realtime.node n using locked l where n.id = l.id returning n.id
), gone as (
  delete from realtime.member m using dead d where m.node_id = d.id
  returning m.application, m.channel, m.member, m.node_id
)
select distinct g.application, g.channel, g.member from gone g where not exists (
  select from realtime.member o join realtime.node n on n.id = o.node_id
  where o.application = g.application and o.channel = g.channel and o.member = g.member
    and n.expires_at > now()
)`,
};

/**
 * Removes the nodes whose leases have ended, with their members. Returns the members that are on
 * their channel nowhere else. Of several processes one gets each member, and tells that it has left.
 */
export async function removeDeadNodes(db: Queryable): Promise<MemberKey[]> {
  return (await db.query<MemberKey>(removeDeadStatement)).rows;
}

const removeStatement: Statement = {
  name: 'realtime_node_remove',
  text: `
with own as (
  delete from realtime.node where id = $1::uuid
), gone as (
  delete from realtime.member m where m.node_id = $1::uuid
  returning m.application, m.channel, m.member
)
select distinct g.* from gone g where not ${isElsewhere('g')}`,
};

/** Removes a node that stops, with its members. Returns those that are nowhere else. */
export async function removeNode(db: Queryable, nodeId: string): Promise<MemberKey[]> {
  return (await db.query<MemberKey>(removeStatement, [nodeId])).rows;
}

const listStatement: Statement = {
  name: 'realtime_members_list',
  text: `
select distinct on (m.member) m.application, m.channel, m.member, m.data
from realtime.member m join realtime.node n on n.id = m.node_id and n.expires_at > now()
where m.application = $1 and m.channel = $2
order by m.member, m.joined_at desc limit $3`,
};

/** Lists members of a channel by name, each once. Index: the primary key. */
export async function listMembers(
  db: Queryable,
  { application, channel }: Pick<MemberKey, 'application' | 'channel'>,
  limit: number,
): Promise<Member[]> {
  return (await db.query<MemberRow>(listStatement, [application, channel, limit])).rows;
}

function toColumns(members: readonly MemberKey[]): string[][] {
  return [
    members.map(({ application }) => application),
    members.map(({ channel }) => channel),
    members.map(({ member }) => member),
  ];
}

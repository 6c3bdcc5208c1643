import type { Queryable, Transaction } from '@posthaste/postgres';
import type { RealmChannelCount } from '../server-options.js';
import { createLeaseRenewal } from './node-lease.js';

/** Part of a list of channels. */
export interface ChannelPageRequest {
  readonly application: string;
  /** Beginning of the paths. Default: any. */
  readonly prefix?: string | undefined;
  /** Path behind which the page begins. Default: the first page. */
  readonly after?: string | undefined;
  /** Most channels. */
  readonly limit: number;
}

/** Channel with the number of its subscribers on all nodes. */
export interface CountedChannel {
  /** Path, or pattern such as `/chat/*`. */
  readonly channel: string;
  readonly subscribers: number;
}

/**
 * Renews the lease of a node that reports subscribers. Returns true if it had none: nothing that it
 * reported before is left.
 */
export const renewChannelNode: ReturnType<typeof createLeaseRenewal> =
  createLeaseRenewal('channel_node');

/** Removes the reports of nodes whose leases have ended. */
export async function removeDeadChannelNodes(db: Queryable): Promise<void> {
  await db.query('delete from realtime.channel_node where expires_at < now()');
}

/** Removes the report of a node that stops. */
export async function removeChannelNode(db: Queryable, nodeId: string): Promise<void> {
  await db.query('delete from realtime.channel_node where id = $1::uuid', [nodeId]);
}

/** Sets the subscribers of channels on a node. A channel with 0 is removed. */
export async function reportChannels(
  tx: Transaction,
  nodeId: string,
  counts: readonly RealmChannelCount[],
): Promise<void> {
  const left = counts.filter(({ subscribers }) => subscribers > 0);
  const gone = counts.filter(({ subscribers }) => subscribers === 0);
  if (gone.length > 0) {
    await tx.query(
      `delete from realtime.channel c using unnest($2::text[], $3::text[]) as g (application, channel)
        where c.node_id = $1::uuid and c.application = g.application and c.channel = g.channel`,
      [nodeId, ...toColumns(gone)],
    );
  }
  if (left.length === 0) return;
  await tx.query(
    `insert into realtime.channel (node_id, application, channel, subscribers)
      select $1::uuid, * from unnest($2::text[], $3::text[], $4::integer[])
      on conflict (application, channel, node_id) do update set subscribers = excluded.subscribers`,
    [nodeId, ...toColumns(left), left.map(({ subscribers }) => subscribers)],
  );
}

/**
 * Lists the channels of an application that somebody is subscribed to on a node with a lease, by
 * path in the order of their bytes. Index: the primary key.
 */
export async function listCountedChannels(
  db: Queryable,
  { application, prefix = '', after = '', limit }: ChannelPageRequest,
): Promise<CountedChannel[]> {
  const { rows } = await db.query<CountedChannel>(
    // A path has no character behind `~`.
    `select c.channel, sum(c.subscribers)::integer as subscribers from realtime.channel c
      join realtime.channel_node n on n.id = c.node_id and n.expires_at > now()
      where c.application = $1 and c.channel > $2 and c.channel >= $3 and c.channel < $3 || '~'
      group by c.channel order by c.channel limit $4`,
    [application, after, prefix, limit],
  );
  return rows;
}

function toColumns(counts: readonly RealmChannelCount[]): [string[], string[]] {
  return [counts.map(({ realm }) => realm), counts.map(({ channel }) => channel)];
}

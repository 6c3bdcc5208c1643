import type { Queryable, Statement } from '@posthaste/postgres';

/** Tables of nodes, each with the lease of what a node has in other tables. */
type NodeTable = 'node' | 'channel_node';

/** Returns a function that renews leases in a table. */
export function createLeaseRenewal(
  table: NodeTable,
): (db: Queryable, nodeId: string, lease: { readonly leaseMs: number }) => Promise<boolean> {
  const statement: Statement = {
    name: `realtime_${table}_renew`,
    text: `insert into realtime.${table} as n (id, expires_at)
    values ($1::uuid, now() + $2::integer * interval '1 ms')
    on conflict (id) do update set expires_at = excluded.expires_at
    returning xmax = 0 as is_new`,
  };
  return async (db, nodeId, { leaseMs }) => {
    const { rows } = await db.query<{ is_new: boolean }>(statement, [nodeId, leaseMs]);
    return rows[0]?.is_new ?? true;
  };
}

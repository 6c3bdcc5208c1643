import type { Queryable, Statement } from '@posthaste/postgres';

/*
 * Workers hold the heads of an endpoint that is not active, each when a worker has leased it.
 * Claims skip a held head. The functions here release held heads.
 */

/** Most heads that one statement releases. */
const batchSize = 1_000;

/**
 * Releases a batch of heads. Index `head_endpoint_held`. Rows are locked in the order in which
 * intake and workers lock the heads of several queues. The head of a paused queue stays held.
 */
const releaseStatement: Statement = {
  name: 'callbacks_endpoint_release',
  text: `
with picked as materialized (
  select callback_id from callbacks.head
  where endpoint_id = $1 and hold = 'endpoint' limit ${batchSize}
),
locked as (
  select h.callback_id, h.application, h.queue
  from picked join callbacks.head h using (callback_id)
  where h.hold = 'endpoint'
  order by h.application, h.queue
  for no key update of h
),
released as (
  update callbacks.head h
  set hold = case when q.paused then 'paused' end, ready = q.paused is not true, due_at = now()
  from locked l
  left join callbacks.queue q on q.application = l.application and q.queue = l.queue
  where h.callback_id = l.callback_id
)
select count(*)::int as released,
  case when count(*) > 0 then pg_notify('callbacks_due', '') end as notified
from locked`,
};

/**
 * Releases the heads held for an endpoint, in batches that are committed one by one.
 * @returns the number of heads released
 */
export async function releaseHeadsOfEndpoint(db: Queryable, endpointId: string): Promise<number> {
  let released = 0;
  for (;;) {
    const { rows } = await db.query<{ released: number }>(releaseStatement, [endpointId]);
    const batch = rows[0]?.released ?? 0;
    released += batch;
    if (batch < batchSize) return released;
  }
}

/**
 * Finds endpoints that have held heads although they are active, or were removed. A skip scan of
 * the index `head_endpoint_held`: one probe per endpoint, however many heads it has.
 */
const wronglyHeldStatement: Statement = {
  name: 'callbacks_endpoint_wrongly_held',
  text: `
with recursive held(endpoint_id) as (
  (select endpoint_id from callbacks.head where hold = 'endpoint' order by endpoint_id limit 1)
  union all
  select (
    select h.endpoint_id from callbacks.head h
    where h.hold = 'endpoint' and h.endpoint_id > held.endpoint_id
    order by h.endpoint_id limit 1
  )
  from held where held.endpoint_id is not null
)
select held.endpoint_id from held
where held.endpoint_id is not null and not exists (
  select from callbacks.endpoint e where e.id = held.endpoint_id and e.state <> 'active'
)`,
};

/**
 * Releases the heads held for endpoints that are active or were removed. Workers have the state of
 * endpoints in a cache, so they may hold a head a moment after the state changed. For housekeeping,
 * to be called every few seconds.
 * @returns the number of heads released
 */
export async function releaseHeldHeads(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ endpoint_id: string }>(wronglyHeldStatement);
  let released = 0;
  for (const { endpoint_id: id } of rows) released += await releaseHeadsOfEndpoint(db, id);
  return released;
}

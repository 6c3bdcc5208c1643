import type { Queryable, Statement } from '@posthaste/postgres';

/**
 * What is owed to an endpoint that is not active is held by workers as they come across it: one
 * head at a time, out of their sight from then on. Here it is let go again.
 */
const batchSize = 1_000;

/**
 * Index `head_endpoint_held`. Rows are locked in the order in which intake and workers lock those of
 * several queues. A queue that is paused stays so.
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

/** Lets go what is held for an endpoint, batch by batch, each committed by itself; gives their number. */
export async function releaseHeld(db: Queryable, endpointId: string): Promise<number> {
  let released = 0;
  for (;;) {
    const { rows } = await db.query<{ released: number }>(releaseStatement, [endpointId]);
    const batch = rows[0]?.released ?? 0;
    released += batch;
    if (batch < batchSize) return released;
  }
}

/**
 * Endpoints for which something is held without a reason: they are active, or gone. The index
 * `head_endpoint_held` is read in leaps, one for each endpoint in it, whatever it holds for them.
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
 * Lets go what is held for endpoints that are active or gone: workers know the state of an endpoint
 * from a cache, and may hold something a moment after it changed. For housekeeping, every few
 * seconds. Gives the number of callbacks let go.
 */
export async function releaseHeldHeads(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ endpoint_id: string }>(wronglyHeldStatement);
  let released = 0;
  for (const { endpoint_id: id } of rows) released += await releaseHeld(db, id);
  return released;
}

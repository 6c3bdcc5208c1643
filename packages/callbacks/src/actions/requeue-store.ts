import type { Statement, Transaction } from '@posthaste/postgres';
import { toFairnessKey } from '../delivery/fairness-key.js';

/** What became of a callback that was to be replayed. */
export interface RequeueOutcome {
  readonly id: string;
  /** `alive`: it has not ended, so there is nothing to replay. */
  readonly kind: 'revived' | 'expired' | 'alive';
}

interface RequestRow {
  readonly id: string;
  readonly application: string;
  readonly endpoint_id: string | null;
  readonly url: string;
  readonly expired: boolean;
}

/**
 * Requests are never changed, so their rows are free to serve as locks: of all the replays of a
 * callback one at a time decides whether it has ended and which step comes next. The lock also
 * keeps its partition from being dropped.
 */
const lockStatement: Statement = {
  name: 'callbacks_lock_requests',
  text: `
select r.id, r.application, r.endpoint_id, r.url,
  coalesce(r.expires_at <= now(), false) as expired
from callbacks.request r where r.id = any($1::uuid[])
order by r.id for no key update`,
};

/**
 * Puts callbacks that have ended at the end of their queues, the way intake does: the head of each
 * queue is inserted or locked, heads in the order of their queues, and the others go behind it. A
 * retry to the workers: what was never sent goes first.
 */
const requeueStatement: Statement = {
  name: 'callbacks_revive',
  text: `
with ended as (
  select r.id, r.application, r.queue, r.endpoint_id, i.lane, i.n, last.step
  from unnest($1::uuid[], $2::text[]) with ordinality as i(id, lane, n)
  cross join lateral (select * from callbacks.request r where r.id = i.id limit 1) r
  cross join lateral (
    select y.step, y.ending from callbacks.history y
    where y.callback_id = i.id order by y.step desc limit 1
  ) last
  where last.ending is not null
    and not exists (select from callbacks.head h where h.callback_id = i.id)
    and not exists (select from callbacks.waiting w where w.callback_id = i.id)
),
heads as (
  insert into callbacks.head (callback_id, application, queue, endpoint_id, lane, ready, retry,
    due_at, hold, step)
  select e.id, e.application, e.queue, e.endpoint_id, e.lane, q.paused is not true, true,
    now(), case when q.paused then 'paused' end, e.step
  from (
    select *, row_number() over (partition by application, queue order by n) as place from ended
  ) e
  left join callbacks.queue q on q.application = e.application and q.queue = e.queue
  where e.queue is null or e.place = 1
  order by e.application, e.queue, e.n
  on conflict (application, queue) where queue is not null
    do update set lane = excluded.lane where false
  returning callback_id, ready
),
behind as (
  insert into callbacks.waiting (application, queue, callback_id, endpoint_id, lane, due_at, step)
  select application, queue, id, endpoint_id, lane, now(), step from ended
  where queue is not null and id not in (select callback_id from heads)
  order by n
)
select e.id, case when e.n = 1 then pg_notify('callbacks_due', '') end as notified from ended e`,
};

/**
 * Makes callbacks live again, those of one queue in the order given. Ids that do not exist are
 * missing from the answer. Committed with the transaction.
 */
export async function requeueCallbacks(
  tx: Transaction,
  ids: readonly string[],
): Promise<RequeueOutcome[]> {
  const requests = (await tx.query<RequestRow>(lockStatement, [ids])).rows;
  const byId = new Map(requests.map((request) => [request.id, request]));
  const found = ids.map((id) => byId.get(id)).filter((request) => request !== undefined);
  const candidates = found.filter(({ expired }) => !expired);
  const { rows } = await tx.query<{ id: string }>(requeueStatement, [
    candidates.map(({ id }) => id),
    candidates.map(fairnessKeyOf),
  ]);
  const revived = new Set(rows.map(({ id }) => id));
  return found.map(({ id, expired }) => ({
    id,
    kind: expired ? 'expired' : revived.has(id) ? 'revived' : 'alive',
  }));
}

function fairnessKeyOf({ url, application, endpoint_id }: RequestRow): string {
  // What intake took in can be parsed; if it ever cannot, the attempt says what is wrong.
  const origin = URL.parse(url)?.origin ?? '';
  return toFairnessKey({ origin, application, endpointId: endpoint_id ?? undefined });
}

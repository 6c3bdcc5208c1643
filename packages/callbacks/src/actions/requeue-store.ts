import type { Statement, Transaction } from '@posthaste/postgres';
import { toFairnessKey } from '../delivery/fairness-key.js';

/** Outcome for one callback that was to be requeued. */
export interface RequeueOutcome {
  readonly id: string;
  /**
   * `expired`: its `expiresAt` is in the past. `erased`: its payload is gone. `alive`: it has not
   * ended. None of them is changed.
   */
  readonly kind: 'requeued' | 'expired' | 'erased' | 'alive';
}

interface RequestRow {
  readonly id: string;
  readonly application: string;
  readonly endpoint_id: string | null;
  readonly url: string;
  readonly expired: boolean;
  readonly erased: boolean;
}

/**
 * Locks the rows of requests. Nothing but erasing updates requests, so their rows can serve as locks: of
 * several replays of one callback, only one at a time checks that it has ended and picks the next
 * step. The lock also keeps retention from dropping the partition.
 */
const lockStatement: Statement = {
  name: 'callbacks_lock_requests',
  text: `
select r.id, r.application, r.endpoint_id, r.url,
  coalesce(r.expires_at <= now(), false) as expired, r.erased_at is not null as erased
from callbacks.request r where r.id = any($1::uuid[])
order by r.id for no key update`,
};

/**
 * Puts callbacks that have ended at the end of their queues, as intake does: inserts or locks the
 * head of each queue, in the order of the queues, and inserts the others behind it. Heads are
 * marked as retries: workers send callbacks that were never attempted first.
 */
const requeueStatement: Statement = {
  name: 'callbacks_requeue',
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
 * Requeues callbacks that have ended, those of one queue in the order given. Callbacks that do not
 * exist are missing from the result.
 */
export async function requeueCallbacks(
  tx: Transaction,
  ids: readonly string[],
): Promise<RequeueOutcome[]> {
  const requests = (await tx.query<RequestRow>(lockStatement, [ids])).rows;
  const byId = new Map(requests.map((request) => [request.id, request]));
  const found = ids.map((id) => byId.get(id)).filter((request) => request !== undefined);
  const candidates = found.filter(({ expired, erased }) => !expired && !erased);
  const { rows } = await tx.query<{ id: string }>(requeueStatement, [
    candidates.map(({ id }) => id),
    candidates.map(fairnessKeyOf),
  ]);
  const requeued = new Set(rows.map(({ id }) => id));
  return found.map(({ id, expired, erased }) => ({
    id,
    kind: erased ? 'erased' : expired ? 'expired' : requeued.has(id) ? 'requeued' : 'alive',
  }));
}

function fairnessKeyOf({ url, application, endpoint_id }: RequestRow): string {
  // Intake accepts only URLs that can be parsed. Should one fail here, its attempt reports why.
  const origin = URL.parse(url)?.origin ?? '';
  return toFairnessKey({ origin, application, endpointId: endpoint_id ?? undefined });
}

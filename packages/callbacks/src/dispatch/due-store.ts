import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';

/**
 * Makes due callbacks ready to be claimed, and ends leases that have expired: their attempts are
 * recorded as of unknown outcome. Index `head_due`, which has no held or blocked callbacks.
 *
 * `unknown_attempts` has the rows that were updated, not those that were locked. A worker that was
 * paused may end its callback at this moment: the lock then returns the queue's next callback,
 * which the update does not find, because its snapshot is older. That callback is left to the next
 * poll.
 */
const promoteStatement: Statement = {
  name: 'callbacks_promote_due',
  text: `
with due as (
  select *,
    -- Pausing a queue leaves a leased head to the worker that holds it.
    lease_token is not null and queue is not null and exists (
      select from callbacks.queue q
      where q.application = head.application and q.queue = head.queue and q.paused
    ) as paused
  from callbacks.head
  where not ready and hold is null and due_at <= now()
  order by due_at limit $1
  for no key update skip locked
),
promoted as (
  update callbacks.head h
  set ready = not due.paused, hold = case when due.paused then 'paused' end,
      retry = h.retry or due.lease_token is not null,
      unknowns = h.unknowns + (due.lease_token is not null)::int,
      lease_token = null, lease_holder = null, leased_at = null
  from due where h.callback_id = due.callback_id
  returning due.*
),
unknown_attempts as (
  insert into callbacks.history (callback_id, step, machine, leased_at, leased_until,
    started_at, duration_ns, status_code, reason, detail)
  select callback_id, step, lease_holder, leased_at, due_at, leased_at, 0, 0, 'unknown',
    'the worker stopped without releasing its lease while the attempt was under way; it is sent again'
  from promoted where lease_token is not null
)
select count(*)::int as promoted, count(lease_token)::int as expired_leases,
  (select (extract(epoch from min(h.due_at) - now()) * 1000)::float8 from callbacks.head h
    where not h.ready and h.hold is null and h.due_at > now()) as next_due_in_ms,
  (extract(epoch from now()) * 1000)::float8 as now_ms
from promoted`,
};

/** Result of {@link promoteDue}. */
export interface Promotion {
  /** Callbacks that were promoted. */
  readonly promoted: number;
  /** Number of those whose lease had expired. */
  readonly expiredLeases: number;
  /** Milliseconds until the next callback comes due; absent when none waits for a time. */
  readonly nextDueInMs: number | undefined;
  /** The database's clock, in milliseconds since 1970. */
  readonly nowMs: number;
}

interface PromotionRow {
  promoted: number;
  expired_leases: number;
  next_due_in_ms: number | null;
  now_ms: number;
}

/** Promotes up to `limit` due callbacks, the oldest first. */
export async function promoteDue(db: Queryable, limit: number): Promise<Promotion> {
  const { rows } = await db.query<PromotionRow>(promoteStatement, [limit]);
  const row = rows[0];
  if (!row) throw new PlatformError('INTERNAL', 'promoting due callbacks returned no row');
  const { promoted, expired_leases: expiredLeases, now_ms: nowMs } = row;
  return { promoted, expiredLeases, nextDueInMs: row.next_due_in_ms ?? undefined, nowMs };
}

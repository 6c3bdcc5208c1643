import type { Statement, Transaction } from '@posthaste/postgres';
import type { Ending, Hold } from '../delivery/delivery.js';

/**
 * A head whose row is locked. People and housekeeping change a head in two steps of one
 * transaction: the first statement locks the row; the second, whose snapshot is newer than the
 * lock, changes it. Between them no worker records a result for the head, and nothing is added
 * behind it.
 */
export interface LockedHead {
  readonly callbackId: string;
  readonly queue: { readonly application: string; readonly name: string } | undefined;
  /** The last step used, by a history row or a lease. */
  readonly step: number;
  readonly leased: boolean;
  readonly ready: boolean;
  readonly hold: Hold | undefined;
}

interface HeadRow {
  readonly callback_id: string;
  readonly application: string;
  readonly queue: string | null;
  readonly step: number;
  readonly leased: boolean;
  readonly ready: boolean;
  readonly hold: Hold | null;
}

const columns =
  'callback_id, application, queue, step, lease_token is not null as leased, ready, hold';

const lockOneStatement: Statement = {
  name: 'callbacks_lock_head',
  text: `select ${columns} from callbacks.head where callback_id = $1 for no key update`,
};

const lockQueueStatement: Statement = {
  name: 'callbacks_lock_queue_head',
  text: `select ${columns} from callbacks.head where application = $1 and queue = $2
    for no key update`,
};

/**
 * Locks the head that is this callback; `undefined` when the callback is not a head. Waits for
 * other transactions that have it locked.
 */
export async function lockHead(
  tx: Transaction,
  callbackId: string,
): Promise<LockedHead | undefined> {
  return toLockedHead((await tx.query<HeadRow>(lockOneStatement, [callbackId])).rows[0]);
}

/**
 * Locks the head of a queue, whichever callback it is once the lock is acquired; `undefined` when
 * the queue was empty at some moment during the call.
 */
export async function lockQueueHead(
  tx: Transaction,
  application: string,
  queue: string,
): Promise<LockedHead | undefined> {
  return toLockedHead((await tx.query<HeadRow>(lockQueueStatement, [application, queue])).rows[0]);
}

/**
 * Ends a head and moves the next callback of its queue into the same row. For a head with a result,
 * result-store.ts does the same.
 */
const endStatement: Statement = {
  name: 'callbacks_end_head',
  text: `
with following as (
  select w.*, coalesce(q.paused, false) as paused
  from callbacks.waiting w
  left join callbacks.queue q on q.application = w.application and q.queue = w.queue
  where w.application = $2 and w.queue = $3
  order by w.seq limit 1
),
popped as (
  delete from callbacks.waiting w using following f
  where w.application = f.application and w.queue = f.queue and w.seq = f.seq
),
written as (
  insert into callbacks.history (callback_id, step, ending)
  select $1, $4::int, $5 where $5::text is not null
),
removed as (
  delete from callbacks.head where callback_id = $1 and not exists (select from following)
),
moved as (
  update callbacks.head h
  set callback_id = f.callback_id, endpoint_id = f.endpoint_id, lane = f.lane, step = f.step,
      failures = 0, unknowns = 0, cancelled = false, retry = false,
      hold = case when f.paused then 'paused' end,
      ready = not f.paused and f.due_at <= now(), due_at = f.due_at,
      lease_token = null, lease_holder = null, leased_at = null
  from following f
  where h.callback_id = $1
  returning h.ready
)
select pg_notify('callbacks_due', '') from moved where ready`,
};

/**
 * Ends a locked head that is not leased, and moves its queue on. Without `ending` it keeps the
 * ending that its history has.
 */
export async function endLockedHead(
  tx: Transaction,
  head: LockedHead,
  ending: Ending | undefined,
): Promise<void> {
  await tx.query(endStatement, [
    head.callbackId,
    head.queue?.application ?? null,
    head.queue?.name ?? null,
    head.step + 1,
    ending ?? null,
  ]);
}

const dueNowStatement: Statement = {
  name: 'callbacks_due_now',
  text: `
with released as (
  update callbacks.head h
  set ready = not p.paused, hold = case when p.paused then 'paused' end, due_at = now(),
      failures = case when $2 then 0 else h.failures end,
      unknowns = case when $2 then 0 else h.unknowns end
  from (
    select coalesce((
      select q.paused from callbacks.head h
      join callbacks.queue q on q.application = h.application and q.queue = h.queue
      where h.callback_id = $1
    ), false) as paused
  ) p
  where h.callback_id = $1
  returning h.ready
)
select pg_notify('callbacks_due', '') from released where ready`,
};

/**
 * Makes a locked head that is not leased due now. If its queue is paused, it is held instead.
 * @param restartPolicy true to count its failures from 0 again
 */
export async function makeDueNow(
  tx: Transaction,
  head: LockedHead,
  restartPolicy: boolean,
): Promise<void> {
  await tx.query(dueNowStatement, [head.callbackId, restartPolicy]);
}

function toLockedHead(row: HeadRow | undefined): LockedHead | undefined {
  if (!row) return undefined;
  return {
    callbackId: row.callback_id,
    queue: row.queue === null ? undefined : { application: row.application, name: row.queue },
    step: row.step,
    leased: row.leased,
    ready: row.ready,
    hold: row.hold ?? undefined,
  };
}

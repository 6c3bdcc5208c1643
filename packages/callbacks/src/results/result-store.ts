/*
 * The statements that write results.
 *
 * - The fence: a result is written only where the head still has the lease token that the attempt
 *   was made under. A result without such a row changes nothing and is reported as lost: another
 *   worker has taken over.
 * - A callback without a queue ends by deleting its head (`insertEndings`). In a queue, the head
 *   moves on to the next callback that waits, in the same statement (`recordResults`).
 * - Invariant: a queue has a head as long as anything of it waits. `lockHeads`, sent before
 *   `recordResults` in the same transaction, keeps intake from adding behind a head that is ending.
 *
 * Index: `head_pkey` (callback_id); for the next callback of a queue `waiting_pkey`.
 */
import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Delivery, DeliveryResult, Ending, Verdict } from '../delivery/delivery.js';
import { type DeliveryRow, requestColumns, toDelivery } from '../delivery/delivery-row.js';
import {
  historyColumns,
  historyValues,
  resultArrays,
  resultColumns,
  resultValues,
} from './result-columns.js';

/**
 * Ends callbacks that have no queue. The delete is the fence and the ending in one: a row whose
 * lease was lost is not deleted, and so nothing is written for it.
 */
const finishText = `
with ended as (
  delete from callbacks.head h
  using unnest(${resultArrays}) as i(${resultColumns})
  where h.callback_id = i.callback_id and h.lease_token = i.lease_token
  returning i.*, h.step, h.lease_holder, h.leased_at, h.due_at as leased_until
)`;

const historyText = `
insert into callbacks.history (${historyColumns})
select ${historyValues('ended', 'ending')} from ended`;

const finishStatement: Statement = { name: 'callbacks_finish', text: finishText + historyText };

const finishReturningStatement: Statement = {
  name: 'callbacks_finish_returning',
  text: `${finishText}, written as (${historyText}) select callback_id, lease_token from ended`,
};

/**
 * Ends callbacks without a queue; returns the number that was written. The others had lost their
 * lease.
 */
export async function insertEndings(
  db: Queryable,
  results: readonly DeliveryResult[],
): Promise<number> {
  const { rowCount } = await db.query(finishStatement, resultValues(results));
  return rowCount;
}

/** Ends callbacks without a queue; returns the results that were written. */
export async function insertEndingsReturning(
  db: Queryable,
  results: readonly DeliveryResult[],
): Promise<DeliveryResult[]> {
  const { rows } = await db.query<{ callback_id: string; lease_token: string }>(
    finishReturningStatement,
    resultValues(results),
  );
  const written = new Set(rows.map((row) => row.callback_id + row.lease_token));
  return results.filter(({ delivery }) => written.has(leaseKey(delivery)));
}

/**
 * Locks the heads of ordered queues, in the order in which intake locks them. The next statement
 * sees in its newer snapshot everything that was added to those queues. Without this, a callback
 * that is added while its queue's last one ends would be left without a head.
 */
const lockStatement: Statement = {
  name: 'callbacks_lock_heads',
  text: `
select 1
from unnest($1::uuid[], $2::uuid[]) as i(callback_id, lease_token)
join callbacks.head h on h.callback_id = i.callback_id and h.lease_token = i.lease_token
where h.queue is not null
order by h.application, h.queue
for no key update of h`,
};

/**
 * Writes a batch of results. `fenced` has only the rows whose lease was not lost. A head that ended
 * is replaced by the next callback of its queue, which stays under the lease if the worker keeps
 * it. The row of the result also has the next callback, so that no part of the batch is joined with
 * another: the cost of that would grow with the square of the batch's size.
 */
const recordStatement: Statement = {
  name: 'callbacks_record',
  text: `
with input as (
  select * from unnest(${resultArrays}, $12::text[], $13::bigint[], $14::boolean[])
    as i(${resultColumns}, verdict, delay_us, keep_lease)
),
fenced as (
  select i.*, h.application, h.queue, h.endpoint_id, h.step, h.cancelled, h.lease_holder, h.leased_at,
    h.due_at as leased_until
  from input i
  join callbacks.head h on h.callback_id = i.callback_id and h.lease_token = i.lease_token
  for no key update of h
),
classified as (
  select fenced.*, f.final, coalesce(e.state <> 'active', false) as inactive, coalesce(q.paused, false) as paused,
    coalesce(q.on_failure = 'park' and f.final in ('failed', 'expired'), false) as parked
  from fenced
  left join callbacks.queue q on q.application = fenced.application and q.queue = fenced.queue
  left join callbacks.endpoint e on e.id = fenced.endpoint_id and fenced.verdict = 'hold'
  cross join lateral (
    select coalesce(fenced.ending, case when fenced.cancelled then 'cancelled' end)
  ) as f(final)
),
settled as (
  select c.*, c.final is not null and not c.parked as leaves,
    n.seq as next_seq, n.callback_id as next_id, n.endpoint_id as next_endpoint_id,
    n.lane as next_lane, n.step as next_step, n.due_at as next_due_at,
    coalesce(c.keep_lease and not c.paused and n.due_at <= now() and c.application <> all (
      array(select a.application from callbacks.stopped_application a)
    ), false) as keeps_lease
  from classified c
  left join lateral (
    select * from callbacks.waiting w
    where w.application = c.application and w.queue = c.queue
      and c.final is not null and not c.parked
    order by w.seq limit 1
  ) n on true
),
popped as (
  delete from callbacks.waiting w using settled s
  where w.application = s.application and w.queue = s.queue and w.seq = s.next_seq
),
written as (
  insert into callbacks.history (${historyColumns})
  select ${historyValues('settled', 'final')} from settled
),
removed as (
  delete from callbacks.head h using settled s
  where h.callback_id = s.callback_id and s.leaves and s.next_id is null
),
moved as (
  update callbacks.head h
  set callback_id = s.next_id, endpoint_id = s.next_endpoint_id, lane = s.next_lane,
      failures = 0, unknowns = 0, cancelled = false, retry = false,
      step = s.next_step + s.keeps_lease::int,
      hold = case when s.paused then 'paused' end,
      ready = not s.paused and not s.keeps_lease and s.next_due_at <= now(),
      due_at = case when s.keeps_lease then now() + $15::float8 * interval '1 ms' else s.next_due_at end,
      lease_token = case when s.keeps_lease then h.lease_token end,
      lease_holder = case when s.keeps_lease then h.lease_holder end,
      leased_at = case when s.keeps_lease then h.leased_at end
  from settled s
  where h.callback_id = s.callback_id and s.leaves and s.next_id is not null
),
kept as (
  update callbacks.head h
  set ready = (s.verdict = 'release' or (s.verdict = 'hold' and not s.inactive)) and not s.paused,
      due_at = case when s.verdict = 'retry' then now() + s.delay_us * interval '1 us' else now() end,
      hold = case when s.parked then 'parked' when s.inactive then 'endpoint'
        when s.paused then 'paused' end,
      retry = h.retry or s.verdict = 'retry',
      -- A retry without an attempt is not the receiver's fault: it does not count.
      failures = h.failures + (s.verdict = 'retry' and s.status_code is not null)::int,
      lease_token = null, lease_holder = null, leased_at = null
  from settled s
  where h.callback_id = s.callback_id and not s.leaves
)
select s.callback_id as recorded_id, s.lease_token as recorded_token, s.final, s.parked,
  ${requestColumns}, m.*
from settled s
left join lateral (
  select s.next_id as callback_id, s.queue, s.next_lane as lane, 0 as failures, 0 as unknowns,
    false as cancelled
  where s.keeps_lease
) m on true
left join lateral (select * from callbacks.request r where r.id = m.callback_id limit 1) r on true`,
};

interface RecordedRow {
  recorded_id: string;
  recorded_token: string;
  final: Ending | null;
  parked: boolean;
}

/** Result that was written. */
export interface RecordedResult {
  readonly result: DeliveryResult;
  /**
   * State in which the callback ended, if it did. It differs from the verdict's if the callback was
   * cancelled in the meantime.
   */
  readonly ending: Ending | undefined;
  /** True if its queue is parked: nothing of it is sent until it is unblocked. */
  readonly parked: boolean;
  /** The queue's next callback, under the same lease; only when the result asked for it. */
  readonly next?: Delivery | undefined;
}

/**
 * Writes results and returns those that were written, in no set order. A result that is missing had
 * lost its lease: another worker has taken over, and nothing was written for it.
 */
export async function recordResults(
  db: Queryable,
  results: readonly DeliveryResult[],
  leaseMs: number,
): Promise<RecordedResult[]> {
  const { rows } = await db.query<DeliveryRow & RecordedRow>(recordStatement, [
    ...resultValues(results),
    results.map(({ verdict }) => verdict.kind),
    results.map(({ verdict }) => toDelayUs(verdict)),
    results.map(({ keepLease }) => keepLease),
    leaseMs,
  ]);
  // By lease, because after a pause of this process one batch may have two leases of one callback.
  const byLease = new Map(results.map((result) => [leaseKey(result.delivery), result]));
  return rows.map((row) => {
    const result = byLease.get(row.recorded_id + row.recorded_token);
    if (!result)
      throw new PlatformError(
        'INTERNAL',
        `the write of results returned callback ${row.recorded_id}, which is not in the batch`,
      );
    const { leaseToken, leaseIndex } = result.delivery;
    const next = row.callback_id === null ? undefined : toDelivery(row, leaseToken, leaseIndex + 1);
    return { result, ending: row.final ?? undefined, parked: row.parked, next };
  });
}

/**
 * Locks the heads that these results end or move on. Call it before {@link recordResults}, in the
 * same transaction, when any of the results belongs to an ordered queue.
 */
export async function lockHeads(db: Queryable, results: readonly DeliveryResult[]): Promise<void> {
  await db.query(lockStatement, [
    results.map(({ delivery }) => delivery.callbackId),
    results.map(({ delivery }) => delivery.leaseToken),
  ]);
}

function leaseKey({ callbackId, leaseToken }: Delivery): string {
  return callbackId + leaseToken;
}

/** Returns the delay in microseconds, rounded up: an attempt never starts before its time. */
function toDelayUs(verdict: Verdict): bigint | null {
  return verdict.kind === 'retry' ? (verdict.delayNs + 999n) / 1_000n : null;
}

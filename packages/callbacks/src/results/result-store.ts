import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Attempt, Delivery, DeliveryResult, Ending, Verdict } from '../delivery/delivery.js';
import { type DeliveryRow, requestColumns, toDelivery } from '../delivery/delivery-row.js';

/** The attempt's three marks travel as bits: one array instead of three. */
const marks = { truncated: 1, cut: 2, resent: 4 } as const;

/** What every result carries, as arrays with one entry a result: see `resultValues`. */
export const resultArrays: string = `$1::uuid[], $2::uuid[], $3::text[], $4::float8[], $5::bigint[], $6::int[],
    $7::text[], $8::text[], $9::json[], $10::bytea[], $11::int[]`;
export const resultColumns: string = `callback_id, lease_token, ending, started_ms, duration_ns, status_code,
    reason, detail, response_headers, response_body, marks`;

export const historyColumns: string = `callback_id, step, machine, leased_at, leased_until, completed_at,
    started_at, duration_ns, status_code, reason, detail, response_headers, response_body,
    truncated, cut, resent, ending`;
/** The workers' reading of the database's clock is a little off: no attempt is before its lease. */
export const historyValues = (of: string, leasedUntil: string, ending: string): string => `
    ${of}.callback_id, ${of}.step, ${of}.lease_holder, ${of}.leased_at, ${of}.${leasedUntil}, now(),
    case when ${of}.started_ms is not null
      then greatest(to_timestamp(${of}.started_ms / 1000), ${of}.leased_at) end,
    ${of}.duration_ns, ${of}.status_code, ${of}.reason,
    ${of}.detail, ${of}.response_headers, ${of}.response_body,
    ${of}.marks & ${marks.truncated} <> 0, ${of}.marks & ${marks.cut} <> 0,
    ${of}.marks & ${marks.resent} <> 0, ${of}.${ending}`;

/**
 * Ends callbacks that have no queue. The delete is the fence and the end in one: a row whose lease
 * was lost meanwhile is not deleted, and so not written.
 */
const finishText = `
with gone as (
  delete from callbacks.head h
  using unnest(${resultArrays}) as i(${resultColumns})
  where h.callback_id = i.callback_id and h.lease_token = i.lease_token
  returning i.*, h.step, h.lease_holder, h.leased_at, h.due_at as leased_until
)`;

const writeText = `
insert into callbacks.history (${historyColumns})
select ${historyValues('gone', 'leased_until', 'ending')} from gone`;

const finishStatement: Statement = { name: 'callbacks_finish', text: finishText + writeText };

const finishNamedStatement: Statement = {
  name: 'callbacks_finish_named',
  text: `${finishText}, written as (${writeText}) select callback_id, lease_token from gone`,
};

/** Ends callbacks without a queue; gives how many of them counted. The others had lost their lease. */
export async function insertEndings(
  db: Queryable,
  results: readonly DeliveryResult[],
): Promise<number> {
  const { rowCount } = await db.query(finishStatement, resultValues(results));
  return rowCount;
}

/** The same; gives those that counted. */
export async function finishNamed(
  db: Queryable,
  results: readonly DeliveryResult[],
): Promise<DeliveryResult[]> {
  const { rows } = await db.query<{ callback_id: string; lease_token: string }>(
    finishNamedStatement,
    resultValues(results),
  );
  const counted = new Set(rows.map((row) => row.callback_id + row.lease_token));
  return results.filter(({ delivery }) => counted.has(leaseKey(delivery)));
}

/**
 * Locks the rows of queue heads in the order in which intake locks them. The statement after it
 * sees, with its newer snapshot, all that was added to those queues: without this, a callback
 * added while its queue's last one ends would be left without a head.
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
 * Writes results, set-based. `held` is the fence: rows whose lease was lost meanwhile are not in
 * it. An ended head makes way for the next of its queue, which stays under the lease when the
 * worker chains. Each result carries its own next callback with it, so that no part of the batch
 * is joined with another: that would cost the square of the batch.
 */
const recordStatement: Statement = {
  name: 'callbacks_record',
  text: `
with input as (
  select * from unnest(${resultArrays}, $12::text[], $13::bigint[], $14::boolean[])
    as i(${resultColumns}, verdict, delay_us, chain)
),
held as (
  select i.*, h.application, h.queue, h.endpoint_id, h.step, h.cancelled, h.lease_holder, h.leased_at,
    h.due_at as leased_until
  from input i
  join callbacks.head h on h.callback_id = i.callback_id and h.lease_token = i.lease_token
  for no key update of h
),
judged as (
  select held.*, f.final, coalesce(e.state <> 'active', false) as inactive, coalesce(q.paused, false) as paused,
    coalesce(q.on_failure = 'park' and f.final in ('failed', 'expired'), false) as parked
  from held
  left join callbacks.queue q on q.application = held.application and q.queue = held.queue
  left join callbacks.endpoint e on e.id = held.endpoint_id and held.verdict = 'hold'
  cross join lateral (
    select coalesce(held.ending, case when held.cancelled then 'cancelled' end)
  ) as f(final)
),
settled as (
  select j.*, j.final is not null and not j.parked as leaves,
    n.seq as next_seq, n.callback_id as next_id, n.endpoint_id as next_endpoint_id,
    n.lane as next_lane, n.step as next_step, n.due_at as next_due_at,
    coalesce(j.chain and not j.paused and n.due_at <= now(), false) as chained
  from judged j
  left join lateral (
    select * from callbacks.waiting w
    where w.application = j.application and w.queue = j.queue
      and j.final is not null and not j.parked
    order by w.seq limit 1
  ) n on true
),
popped as (
  delete from callbacks.waiting w using settled s
  where w.application = s.application and w.queue = s.queue and w.seq = s.next_seq
),
written as (
  insert into callbacks.history (${historyColumns})
  select ${historyValues('settled', 'leased_until', 'final')} from settled
),
removed as (
  delete from callbacks.head h using settled s
  where h.callback_id = s.callback_id and s.leaves and s.next_id is null
),
moved as (
  update callbacks.head h
  set callback_id = s.next_id, endpoint_id = s.next_endpoint_id, lane = s.next_lane,
      failures = 0, unknowns = 0, cancelled = false, retry = false,
      step = s.next_step + s.chained::int,
      hold = case when s.paused then 'paused' end,
      ready = not s.paused and not s.chained and s.next_due_at <= now(),
      due_at = case when s.chained then now() + $15::float8 * interval '1 ms' else s.next_due_at end,
      lease_token = case when s.chained then h.lease_token end,
      lease_holder = case when s.chained then h.lease_holder end,
      leased_at = case when s.chained then h.leased_at end
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
      -- A retry without an attempt is none of the receiver's doing.
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
  where s.chained
) m on true
left join lateral (select * from callbacks.request r where r.id = m.callback_id limit 1) r on true`,
};

interface RecordedRow {
  recorded_id: string;
  recorded_token: string;
  final: Ending | null;
  parked: boolean;
}

export interface Recorded {
  readonly result: DeliveryResult;
  /** How the callback ended, if it did; differs from the verdict when it was cancelled meanwhile. */
  readonly ending: Ending | undefined;
  /** Its queue stands still until somebody unblocks it. */
  readonly parked: boolean;
  /** The queue's next callback, held by the same lease; only when asked to chain. */
  readonly next: Delivery | undefined;
}

/**
 * Writes results and gives those that counted, in no set order. A result that is missing from the
 * answer lost its lease: another worker has taken over, and nothing was written for it.
 */
export async function recordResults(
  db: Queryable,
  results: readonly DeliveryResult[],
  leaseMs: number,
): Promise<Recorded[]> {
  const { rows } = await db.query<DeliveryRow & RecordedRow>(recordStatement, [
    ...resultValues(results),
    results.map(({ verdict }) => verdict.kind),
    results.map(({ verdict }) => toDelayUs(verdict)),
    results.map(({ chain }) => chain),
    leaseMs,
  ]);
  // By lease: after a pause of this process, two leases of one callback may be in one batch.
  const byLease = new Map(results.map((result) => [leaseKey(result.delivery), result]));
  return rows.map((row) => {
    const result = byLease.get(row.recorded_id + row.recorded_token);
    if (!result) throw new PlatformError('INTERNAL', `recorded ${row.recorded_id} unasked`);
    const { leaseToken, place } = result.delivery;
    const next = row.callback_id === null ? undefined : toDelivery(row, leaseToken, place + 1);
    return { result, ending: row.final ?? undefined, parked: row.parked, next };
  });
}

/**
 * Locks what these results end or move on. Before {@link recordResults}, in one transaction with
 * it, when any of them is of an ordered queue.
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

/** The values of `resultArrays`. */
export function resultValues(results: readonly DeliveryResult[]): unknown[] {
  const attempts = results.map(({ attempt }) => attempt);
  return [
    results.map(({ delivery }) => delivery.callbackId),
    results.map(({ delivery }) => delivery.leaseToken),
    results.map(({ verdict }) => (verdict.kind === 'ended' ? verdict.ending : null)),
    attempts.map((attempt) => attempt?.startedAtMs ?? null),
    attempts.map((attempt) => attempt?.durationNs ?? null),
    attempts.map((attempt) => attempt?.statusCode ?? null),
    attempts.map((attempt) => attempt?.reason ?? null),
    attempts.map((attempt) => attempt?.detail ?? null),
    attempts.map((attempt) => toJson(attempt?.responseHeaders)),
    attempts.map((attempt) => attempt?.responseBody ?? null),
    attempts.map(toMarks),
  ];
}

function toMarks(attempt: Attempt | undefined): number {
  if (!attempt) return 0;
  return (
    (attempt.truncated ? marks.truncated : 0) |
    (attempt.cut ? marks.cut : 0) |
    (attempt.resent ? marks.resent : 0)
  );
}

/** Rounded up: an attempt never starts before its time. */
function toDelayUs(verdict: Verdict): bigint | null {
  return verdict.kind === 'retry' ? (verdict.delayNs + 999n) / 1_000n : null;
}

function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

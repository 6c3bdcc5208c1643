import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import type { Delivery, DeliveryResult, Ending, Verdict } from './delivery.js';
import { fromStoredPolicy } from './retry-policy.js';

/**
 * What of a lane or above it takes no more work now. Everything not named has room for
 * `defaultRoom`.
 */
export interface ClaimRequest {
  /** Who claims: the machine and process, as it is shown in the history. */
  readonly holder: string;
  /** Unique to this claim; fences its results. */
  readonly leaseToken: string;
  readonly leaseMs: number;
  /** Rows at most. */
  readonly limit: number;
  /** Lanes after this key only, so that claims go around. Empty: from the first. */
  readonly afterLane: string;
  readonly fullOrigins: readonly string[];
  readonly fullApplications: readonly string[];
  /** Lanes with less room than `defaultRoom`. */
  readonly lanes: readonly string[];
  readonly rooms: readonly number[];
  readonly defaultRoom: number;
}

export interface Claim {
  readonly deliveries: readonly Delivery[];
  /** Where the next claim goes on; empty: at the first lane. */
  readonly nextLane: string;
  /** The database's clock at the claim, in milliseconds since 1970. */
  readonly nowMs: number;
}

interface DeliveryRow {
  callback_id: string;
  lease_token: string;
  application: string;
  queue: string | null;
  endpoint_id: string | null;
  lane: string;
  failures: number;
  unknowns: number;
  created_ms: number;
  expires_ms: number | null;
  now_ms: number;
  url: string;
  method: string;
  headers: Record<string, string> | null;
  body: Buffer | null;
  policy: unknown;
  timeout_ms: number;
  secret: string | null;
  notification_email: string | null;
}

interface ClaimRow extends DeliveryRow {
  last_lane: string | null;
  lanes_seen: number;
}

/** Lanes looked at in one claim: bounds its cost whatever the number of origins. */
const maxLanesPerClaim = 64;

const deliveryColumns = (head: string): string => `
  ${head}.callback_id, ${head}.lease_token, ${head}.application, ${head}.queue, ${head}.endpoint_id,
  ${head}.lane, ${head}.failures, ${head}.unknowns,
  (extract(epoch from r.created_at) * 1000)::float8 as created_ms,
  (extract(epoch from r.expires_at) * 1000)::float8 as expires_ms,
  (extract(epoch from now()) * 1000)::float8 as now_ms,
  r.url, r.method, r.headers, r.body, r.policy, r.timeout_ms, r.secret, r.notification_email`;

/**
 * Index `head_ready`, read as a loose scan: one probe a lane, then the lane's first rows. What
 * waits, is leased or is blocked is not in that index, so a claim costs the same whatever their
 * number. `E'\\x0b'` is the character after the separator of lane keys: past all of an origin.
 */
const claimStatement: Statement = {
  name: 'callbacks_claim',
  text: `
with recursive lanes(lane, n) as (
  (select h.lane, 1 from callbacks.head h where h.ready and h.lane > $5 order by h.lane limit 1)
  union all
  select (
    select h.lane from callbacks.head h
    where h.ready and h.lane > case
      when split_part(l.lane, E'\\n', 1) = any($6::text[]) then split_part(l.lane, E'\\n', 1) || E'\\x0b'
      else l.lane end
    order by h.lane limit 1
  ), l.n + 1
  from lanes l where l.lane is not null and l.n < ${maxLanesPerClaim}
),
open_lanes as (
  select l.lane, least($4::int, coalesce(busy.room, $10::int)) as room
  from lanes l
  left join unnest($8::text[], $9::int[]) as busy(lane, room) on busy.lane = l.lane
  where l.lane is not null
    and split_part(l.lane, E'\\n', 1) <> all($6::text[])
    and split_part(l.lane, E'\\n', 2) <> all($7::text[])
    and coalesce(busy.room, 1) > 0
),
picked as (
  select p.callback_id
  from open_lanes l
  cross join lateral (
    select h.callback_id from callbacks.head h
    where h.ready and h.lane = l.lane
    order by h.retry, h.due_at
    limit l.room
    for no key update skip locked
  ) p
  limit $4
),
claimed as (
  update callbacks.head h
  set ready = false, due_at = now() + $3::float8 * interval '1 ms', step = h.step + 1,
      lease_token = $2, lease_holder = $1, leased_at = now()
  from picked where h.callback_id = picked.callback_id
  returning h.*
)
select s.last_lane, s.lanes_seen, ${deliveryColumns('c')}
from (select max(lane) as last_lane, count(lane)::int as lanes_seen from lanes) s
left join claimed c on true
left join lateral (select * from callbacks.request r where r.id = c.callback_id limit 1) r on true`,
};

/** Leases due callbacks, first attempts before retries, going around the lanes. */
export async function claimDeliveries(db: Queryable, request: ClaimRequest): Promise<Claim> {
  const { rows } = await db.query<ClaimRow>(claimStatement, [
    request.holder,
    request.leaseToken,
    request.leaseMs,
    request.limit,
    request.afterLane,
    request.fullOrigins,
    request.fullApplications,
    request.lanes,
    request.rooms,
    request.defaultRoom,
  ]);
  const [first] = rows;
  if (!first) throw new PlatformError('INTERNAL', 'a claim gave no row');
  const deliveries = first.callback_id === null ? [] : rows.map((row) => toDelivery(row, 0));
  return { deliveries, nextLane: nextLane(first, deliveries, request.limit), nowMs: first.now_ms };
}

/** After a full claim on with the lane it ended in, so that its neighbours have their turn too. */
function nextLane(row: ClaimRow, deliveries: readonly Delivery[], limit: number): string {
  if (deliveries.length >= limit) {
    return deliveries.reduce((last, { lane }) => (lane > last ? lane : last), '');
  }
  return row.lanes_seen === maxLanesPerClaim ? (row.last_lane ?? '') : '';
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
 * worker chains.
 */
const recordStatement: Statement = {
  name: 'callbacks_record',
  text: `
with input as (
  select * from unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::boolean[],
    $7::float8[], $8::bigint[], $9::int[], $10::text[], $11::text[], $12::json[], $13::bytea[],
    $14::boolean[], $15::boolean[], $16::boolean[]
  ) as i(callback_id, lease_token, verdict, ending, delay_us, chain,
    started_ms, duration_ns, status_code, reason, detail, response_headers, response_body,
    truncated, cut, resent)
),
held as (
  select i.*, h.application, h.queue, h.step, h.cancelled, h.lease_holder, h.leased_at,
    h.due_at as leased_until
  from input i
  join callbacks.head h on h.callback_id = i.callback_id and h.lease_token = i.lease_token
  for no key update of h
),
judged as (
  select held.*, f.final, coalesce(q.paused, false) as paused,
    coalesce(q.on_failure = 'park' and f.final in ('failed', 'expired'), false) as parked
  from held
  left join callbacks.queue q on q.application = held.application and q.queue = held.queue
  cross join lateral (
    select coalesce(held.ending, case when held.cancelled and held.verdict = 'retry' then 'cancelled' end)
  ) as f(final)
),
following as (
  select j.callback_id as previous_id, j.paused, j.chain and not j.paused and w.due_at <= now() as chained,
    w.*
  from judged j
  cross join lateral (
    select * from callbacks.waiting w
    where w.application = j.application and w.queue = j.queue
    order by w.seq limit 1
  ) w
  where j.queue is not null and j.final is not null and not j.parked
),
popped as (
  delete from callbacks.waiting w using following f
  where w.application = f.application and w.queue = f.queue and w.seq = f.seq
),
written as (
  insert into callbacks.history (callback_id, step, lease_token, machine, leased_at, leased_until,
    completed_at, started_at, duration_ns, status_code, reason, detail, response_headers,
    response_body, truncated, cut, resent, ending)
  select callback_id, step, lease_token, lease_holder, leased_at, leased_until,
    now(), to_timestamp(started_ms / 1000), duration_ns, status_code, reason, detail,
    response_headers, response_body, truncated, cut, resent, final
  from judged
),
removed as (
  delete from callbacks.head h using judged j
  where h.callback_id = j.callback_id and j.final is not null and not j.parked
    and not exists (select from following f where f.previous_id = j.callback_id)
),
kept as (
  update callbacks.head h
  set ready = j.verdict = 'release' and not j.paused,
      due_at = case when j.verdict = 'retry' then now() + j.delay_us * interval '1 us' else now() end,
      hold = case when j.parked then 'parked' when j.verdict = 'hold' then 'endpoint'
        when j.paused then 'paused' end,
      retry = h.retry or j.verdict = 'retry',
      failures = h.failures + (j.verdict = 'retry')::int,
      lease_token = null, lease_holder = null, leased_at = null
  from judged j
  where h.callback_id = j.callback_id and (j.final is null or j.parked)
),
moved as (
  update callbacks.head h
  set callback_id = f.callback_id, endpoint_id = f.endpoint_id, lane = f.lane,
      failures = 0, unknowns = 0, cancelled = false, retry = false,
      step = f.step + f.chained::int,
      hold = case when f.paused then 'paused' end,
      ready = not f.paused and not f.chained and f.due_at <= now(),
      due_at = case when f.chained then now() + $17::float8 * interval '1 ms' else f.due_at end,
      lease_token = case when f.chained then h.lease_token end,
      lease_holder = case when f.chained then h.lease_holder end,
      leased_at = case when f.chained then h.leased_at end
  from following f
  where h.callback_id = f.previous_id
  returning h.*, f.previous_id
)
select j.callback_id as recorded_id, j.final, ${deliveryColumns('m')}
from judged j
left join moved m on m.previous_id = j.callback_id and m.lease_token is not null
left join lateral (select * from callbacks.request r where r.id = m.callback_id limit 1) r on true`,
};

export interface Recorded {
  readonly result: DeliveryResult;
  /** How the callback ended, if it did; differs from the verdict when it was cancelled meanwhile. */
  readonly ending: Ending | undefined;
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
  const column = <T>(read: (result: DeliveryResult) => T): T[] => results.map(read);
  const { rows } = await db.query<DeliveryRow & { recorded_id: string; final: string | null }>(
    recordStatement,
    [
      column(({ delivery }) => delivery.callbackId),
      column(({ delivery }) => delivery.leaseToken),
      column(({ verdict }) => verdict.kind),
      column(({ verdict }) => (verdict.kind === 'ended' ? verdict.ending : null)),
      column(({ verdict }) => toDelayUs(verdict)),
      column(({ chain }) => chain),
      column(({ attempt }) => attempt?.startedAtMs ?? null),
      column(({ attempt }) => attempt?.durationNs ?? null),
      column(({ attempt }) => attempt?.statusCode ?? null),
      column(({ attempt }) => attempt?.reason ?? null),
      column(({ attempt }) => attempt?.detail ?? null),
      column(({ attempt }) => toJson(attempt?.responseHeaders)),
      column(({ attempt }) => attempt?.responseBody ?? null),
      column(({ attempt }) => attempt?.truncated ?? false),
      column(({ attempt }) => attempt?.cut ?? false),
      column(({ attempt }) => attempt?.resent ?? false),
      leaseMs,
    ],
  );
  const byId = new Map(results.map((result) => [result.delivery.callbackId, result]));
  return rows.map((row) => {
    const result = byId.get(row.recorded_id);
    if (!result) throw new PlatformError('INTERNAL', `recorded ${row.recorded_id} unasked`);
    const place = result.delivery.place + 1;
    const next = row.callback_id === null ? undefined : toDelivery(row, place);
    return { result, ending: (row.final ?? undefined) as Ending | undefined, next };
  });
}

/** The first step of recording heads of ordered queues; in one transaction with the second. */
export async function lockHeads(db: Queryable, results: readonly DeliveryResult[]): Promise<void> {
  await db.query(lockStatement, [
    results.map(({ delivery }) => delivery.callbackId),
    results.map(({ delivery }) => delivery.leaseToken),
  ]);
}

/**
 * Makes ready what has come due, and takes back leases that ran out: their attempts are recorded
 * as of unknown outcome. Index `head_due`; what is held or blocked is not in it.
 */
const wakeStatement: Statement = {
  name: 'callbacks_wake',
  text: `
with due as (
  select * from callbacks.head
  where not ready and hold is null and due_at <= now()
  order by due_at limit $1
  for no key update skip locked
),
lost as (
  insert into callbacks.history (callback_id, step, lease_token, machine, leased_at, leased_until,
    started_at, duration_ns, status_code, reason, detail)
  select callback_id, step, lease_token, lease_holder, leased_at, due_at, leased_at, 0, 0, 'unknown',
    'the worker vanished while the attempt was under way; it is sent again'
  from due where lease_token is not null
),
woken as (
  update callbacks.head h
  set ready = true, retry = h.retry or due.lease_token is not null,
      unknowns = h.unknowns + (due.lease_token is not null)::int,
      lease_token = null, lease_holder = null, leased_at = null
  from due where h.callback_id = due.callback_id
)
select count(*)::int as woken, count(lease_token)::int as lost,
  (select (extract(epoch from min(h.due_at) - now()) * 1000)::float8 from callbacks.head h
    where not h.ready and h.hold is null and h.due_at > now()) as next_due_in_ms
from due`,
};

export interface Wake {
  /** Callbacks that came due. */
  readonly woken: number;
  /** Those of them whose lease had run out. */
  readonly lost: number;
  /** Until the next one comes due; absent when none waits for a time. */
  readonly nextDueInMs: number | undefined;
}

export async function wakeDue(db: Database, limit: number): Promise<Wake> {
  const { rows } = await db.query<{ woken: number; lost: number; next_due_in_ms: number | null }>(
    wakeStatement,
    [limit],
  );
  const row = rows[0];
  if (!row) throw new PlatformError('INTERNAL', 'wake gave no row');
  return { woken: row.woken, lost: row.lost, nextDueInMs: row.next_due_in_ms ?? undefined };
}

function toDelivery(row: DeliveryRow, place: number): Delivery {
  return {
    callbackId: row.callback_id,
    leaseToken: row.lease_token,
    ordered: row.queue !== null,
    application: row.application,
    queue: row.queue ?? undefined,
    endpointId: row.endpoint_id ?? undefined,
    place,
    lane: row.lane,
    failures: row.failures,
    unknowns: row.unknowns,
    createdAtMs: row.created_ms,
    expiresAtMs: row.expires_ms ?? undefined,
    request: {
      url: row.url,
      method: row.method,
      headers: row.headers ?? undefined,
      body: row.body ?? undefined,
      policy: fromStoredPolicy(row.policy),
      timeoutMs: row.timeout_ms,
      secret: row.secret ?? undefined,
      notificationEmail: row.notification_email ?? undefined,
    },
  };
}

/** Rounded up: an attempt never starts before its time. */
function toDelayUs(verdict: Verdict): bigint | null {
  return verdict.kind === 'retry' ? (verdict.delayNs + 999n) / 1_000n : null;
}

function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/*
 * The statement that claims: workers lease due callbacks from the table `head`.
 *
 * - A row of `head` is the first callback of its queue, or one without a queue. It is `ready` when
 *   it is due and nobody holds it. Intake (intake-store.ts) and the writes of results
 *   (result-store.ts) store what is due now as `ready`. The due poller (due-store.ts) promotes what
 *   comes due later, and ends expired leases.
 * - A claim sets `lease_token`, which is new with each claim, and moves `due_at` to the end of the
 *   lease. Row locks (`for no key update skip locked`) keep two claims from the same row, and a row
 *   that is leased is not `ready`: two workers never lease a callback at the same time.
 * - A result is written only where its `lease_token` is still there (result-store.ts). A worker
 *   that was paused beyond its lease can therefore not overwrite the result of the one that
 *   followed it. Nor does it send: before the request it checks that enough of the lease is left
 *   (attempt-runner.ts).
 * - Fairness: the claim visits the fairness keys (column `lane`) in turn, and divides the capacity
 *   of an origin or an application between its keys.
 *
 * Index `head_ready` (lane, retry, due_at) where ready.
 */
import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Delivery } from '../delivery/delivery.js';
import { type DeliveryRow, deliveryColumns, toDelivery } from '../delivery/delivery-row.js';

/** Request for a claim. */
export interface ClaimRequest extends Capacity {
  /** Machine and process that claims, as the history shows it. */
  readonly holder: string;
  /** Unique to this claim; fences its results. */
  readonly leaseToken: string;
  readonly leaseMs: number;
  /** Fairness key after which the round begins. Empty: at the first key. */
  readonly afterKey: string;
}

/**
 * Number of rows that a claim may lease. An origin, application or fairness key that is not in a
 * map has the default.
 */
export interface Capacity {
  /** Rows in all. */
  readonly limit: number;
  readonly origins: CapacityByName;
  readonly applications: CapacityByName;
  readonly fairnessKeys: CapacityByName;
  readonly originDefault: number;
  readonly applicationDefault: number;
  readonly fairnessKeyDefault: number;
}

/** Rows that may be leased for each name; 0: none. */
export type CapacityByName = ReadonlyMap<string, number>;

/** Result of a claim. */
export interface Claim {
  readonly deliveries: readonly Delivery[];
  /** Value of `afterKey` for the next claim; empty when this one saw all keys. */
  readonly nextKey: string;
}

/**
 * Settings for the database sessions of a dispatcher. Its statements read few rows by index,
 * however large the tables are, so one plan is always right. It is made once and kept; it does not
 * depend on whether the table is empty at that moment, and compiling it would cost more than it
 * saves.
 */
export const deliverySessionSettings: Readonly<Record<string, string>> = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
};

interface ClaimRow extends DeliveryRow {
  last_lane: string;
  lanes_seen: number;
}

/** Fairness keys that one claim visits at most: bounds its cost, whatever the number of origins. */
const maxKeysPerClaim = 64;

/**
 * SQL for the share that a key has of the capacity that all keys of its `owner` have together; the
 * shares add up to it. The remainder of the division goes to keys drawn at random in each claim. In
 * the order of keys, a host with capacity for one would always get callbacks of the same
 * application, however long the others wait.
 */
const shareOf = (capacity: string, owner: string): string => `
    ${capacity} / count(*) over (partition by ${owner})
      + (row_number() over (partition by ${owner} order by s.draw)
        <= ${capacity} % count(*) over (partition by ${owner}))::int`;

/**
 * Index `head_ready`, read as a loose index scan: one probe for each key, then the key's first
 * rows. Callbacks that wait, are leased or are held are not in that index, so a claim costs the
 * same whatever their number. The scan visits each key once: from the key after `$5` to the last
 * one, then from the first one to `$5`. `E'\\x0b'` is the character after the separator of fairness
 * keys: a key with it at the end is past all keys of an origin, which skips an origin without
 * capacity (`$6`).
 *
 * Rows are updated by their ctid, because they are locked by then. A row that moved after the
 * snapshot is left to the next claim.
 *
 * The capacity of an origin or an application is divided between its keys in this claim, so that
 * nothing is leased that would have to be released at once.
 */
const claimStatement: Statement = {
  name: 'callbacks_claim',
  text: `
with recursive lanes(lane, n, wrapped) as (
  select $5::text collate "C", 0, false
  union all
  select next.lane, l.n + 1, next.wrapped
  from lanes l
  cross join lateral (
    select case when split_part(l.lane, E'\\n', 1) = any($6::text[])
      then split_part(l.lane, E'\\n', 1) || E'\\x0b' else l.lane end collate "C" as lane
  ) past
  cross join lateral (
    (select h.lane, l.wrapped from callbacks.head h
     where h.ready and h.lane > past.lane and (not l.wrapped or h.lane <= $5)
     order by h.lane limit 1)
    union all
    (select h.lane, true from callbacks.head h
     where h.ready and not l.wrapped and h.lane <= $5
     order by h.lane limit 1)
    limit 1
  ) next
  where l.n < ${maxKeysPerClaim}
),
seen as (
  select l.lane, l.n, random() as draw, split_part(l.lane, E'\\n', 1) as origin,
    split_part(l.lane, E'\\n', 2) as application
  from lanes l where l.n > 0
),
open_lanes as (
  select s.lane, least($4::int, coalesce(of_lane.capacity, $15::int),
    ${shareOf('coalesce(of_origin.capacity, $13::int)', 's.origin')},
    ${shareOf('coalesce(of_application.capacity, $14::int)', 's.application')}) as capacity
  from seen s
  left join unnest($7::text[], $8::int[]) as of_origin(origin, capacity) using (origin)
  left join unnest($9::text[], $10::int[]) as of_application(application, capacity) using (application)
  left join unnest($11::text[], $12::int[]) as of_lane(lane, capacity) using (lane)
  where coalesce(of_origin.capacity, $13) > 0 and coalesce(of_application.capacity, $14) > 0
    and coalesce(of_lane.capacity, $15) > 0
    -- Empty but for applications that are being removed; read once per claim.
    and s.application <> all (array(select a.application from callbacks.stopped_application a))
  order by s.n
),
picked as (
  select p.ctid
  from open_lanes l
  cross join lateral (
    select h.ctid from callbacks.head h
    where h.ready and h.lane = l.lane
    order by h.retry, h.due_at
    limit l.capacity
    for no key update skip locked
  ) p
  limit $4
),
claimed as (
  update callbacks.head h
  set ready = false, due_at = now() + $3::float8 * interval '1 ms', step = h.step + 1,
      lease_token = $2, lease_holder = $1, leased_at = now()
  from picked where h.ctid = picked.ctid
  returning h.*
)
select s.last_lane, s.lanes_seen, ${deliveryColumns('c')}
from (select lane as last_lane, n as lanes_seen from lanes order by n desc limit 1) s
left join claimed c on true
left join lateral (select * from callbacks.request r where r.id = c.callback_id limit 1) r on true`,
};

/**
 * Leases due callbacks. Visits the fairness keys in turn; leases the first attempts of each key
 * before its retries.
 */
export async function claimDeliveries(db: Queryable, request: ClaimRequest): Promise<Claim> {
  const { limit, origins, applications, fairnessKeys } = request;
  const { rows } = await db.query<ClaimRow>(claimStatement, [
    request.holder,
    request.leaseToken,
    request.leaseMs,
    limit,
    request.afterKey,
    [...origins.keys()].filter((origin) => (origins.get(origin) ?? 0) <= 0),
    [...origins.keys()],
    [...origins.values()],
    [...applications.keys()],
    [...applications.values()],
    [...fairnessKeys.keys()],
    [...fairnessKeys.values()],
    request.originDefault,
    request.applicationDefault,
    request.fairnessKeyDefault,
  ]);
  const [first] = rows;
  if (!first) throw new PlatformError('INTERNAL', 'a claim returned no row');
  const deliveries =
    first.callback_id === null ? [] : rows.map((row) => toDelivery(row, request.leaseToken, 0));
  if (deliveries.length >= limit) {
    return { deliveries, nextKey: lastKey(deliveries, request.afterKey) };
  }
  const sawAll = first.lanes_seen < maxKeysPerClaim;
  return { deliveries, nextKey: sawAll ? '' : first.last_lane };
}

/** Returns the key at which a round ended that began after `afterKey`. */
function lastKey(deliveries: readonly Delivery[], afterKey: string): string {
  const keys = deliveries.map(({ fairnessKey }) => fairnessKey);
  const wrapped = keys.filter((key) => key <= afterKey);
  return (wrapped.length > 0 ? wrapped : keys).sort().at(-1) ?? '';
}

import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Delivery } from '../delivery/delivery.js';
import { type DeliveryRow, deliveryColumns, toDelivery } from '../delivery/delivery-row.js';

/** Who may have how many more in flight: see {@link Capacity}. */
export interface ClaimRequest extends Capacity {
  /** Who claims: the machine and process, as it is shown in the history. */
  readonly holder: string;
  /** Unique to this claim; fences its results. */
  readonly leaseToken: string;
  readonly leaseMs: number;
  /** Lanes after this key first, then on from the first one. Empty: from the first. */
  readonly afterKey: string;
}

/** What a claim may bring. Whatever is not named has the default room. */
export interface Capacity {
  /** Rows at most. */
  readonly limit: number;
  readonly origins: Rooms;
  readonly applications: Rooms;
  readonly fairnessKeys: Rooms;
  readonly originDefault: number;
  readonly applicationDefault: number;
}

/** Rows that each of these may have more; 0: none. */
export type Rooms = ReadonlyMap<string, number>;

export interface Claim {
  readonly deliveries: readonly Delivery[];
  /** Where the next claim goes on when this one did not see everything; else empty. */
  readonly nextKey: string;
}

/**
 * For the database sessions that a dispatcher works on. Its statements touch few rows by index,
 * whatever the tables' sizes, so one plan is always right: made once and kept, never for a table
 * that happened to be empty at that moment, and never worth compiling.
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

/** Lanes looked at in one claim: bounds its cost whatever the number of origins. */
const maxKeysPerClaim = 64;

/**
 * The part of a room that one of the lanes gets that have it together: none is left over. Who gets
 * what cannot be divided is drawn by lot with each claim. In the order of lanes, a host with room for
 * one would always be asked for the same application, however long the others wait.
 */
const shareOf = (room: string, owner: string): string => `
    ${room} / count(*) over (partition by ${owner})
      + (row_number() over (partition by ${owner} order by s.lot)
        <= ${room} % count(*) over (partition by ${owner}))::int`;

/**
 * Index `head_ready`, read as a loose scan: one probe a lane, then the lane's first rows. What
 * waits, is leased or is blocked is not in that index, so a claim costs the same whatever their
 * number. The scan goes around once: from the lane after `$5` to the last, then from the first to
 * `$5`. `E'\\x0b'` is the character after the separator of lane keys: past all of an origin.
 *
 * Rows are updated by their place: they are locked by then, and one that moved since the snapshot
 * is left to the next claim.
 *
 * What an origin or an application has room for is divided among its lanes in this claim, so that
 * nothing is leased that would have to be given back.
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
  select l.lane, l.n, random() as lot, split_part(l.lane, E'\\n', 1) as origin,
    split_part(l.lane, E'\\n', 2) as application
  from lanes l where l.n > 0
),
open_lanes as (
  select s.lane, least($4::int, lane_room.room,
    ${shareOf('coalesce(origin_room.room, $13::int)', 's.origin')},
    ${shareOf('coalesce(application_room.room, $14::int)', 's.application')}) as room
  from seen s
  left join unnest($7::text[], $8::int[]) as origin_room(origin, room) using (origin)
  left join unnest($9::text[], $10::int[]) as application_room(application, room) using (application)
  left join unnest($11::text[], $12::int[]) as lane_room(lane, room) using (lane)
  where coalesce(origin_room.room, $13) > 0 and coalesce(application_room.room, $14) > 0
    and coalesce(lane_room.room, 1) > 0
  order by s.n
),
picked as (
  select p.ctid
  from open_lanes l
  cross join lateral (
    select h.ctid from callbacks.head h
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
  from picked where h.ctid = picked.ctid
  returning h.*
)
select s.last_lane, s.lanes_seen, ${deliveryColumns('c')}
from (select lane as last_lane, n as lanes_seen from lanes order by n desc limit 1) s
left join claimed c on true
left join lateral (select * from callbacks.request r where r.id = c.callback_id limit 1) r on true`,
};

/** Leases due callbacks, first attempts before retries, going around the lanes. */
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
  ]);
  const [first] = rows;
  if (!first) throw new PlatformError('INTERNAL', 'a claim gave no row');
  const deliveries =
    first.callback_id === null ? [] : rows.map((row) => toDelivery(row, request.leaseToken, 0));
  if (deliveries.length >= limit) {
    return { deliveries, nextKey: lastKey(deliveries, request.afterKey) };
  }
  const sawAll = first.lanes_seen < maxKeysPerClaim;
  return { deliveries, nextKey: sawAll ? '' : first.last_lane };
}

/** The lane in which a claim ended that began after `afterLane` and went around. */
function lastKey(deliveries: readonly Delivery[], afterLane: string): string {
  const lanes = deliveries.map(({ fairnessKey }) => fairnessKey);
  const wrapped = lanes.filter((lane) => lane <= afterLane);
  return (wrapped.length > 0 ? wrapped : lanes).sort().at(-1) ?? '';
}

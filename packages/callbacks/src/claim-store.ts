import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Delivery } from './delivery.js';
import { type DeliveryRow, deliveryColumns, toDelivery } from './delivery-row.js';

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
  last_lane: string | null;
  lanes_seen: number;
}

/** Lanes looked at in one claim: bounds its cost whatever the number of origins. */
const maxLanesPerClaim = 64;

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
  const deliveries =
    first.callback_id === null ? [] : rows.map((row) => toDelivery(row, request.leaseToken, 0));
  return { deliveries, nextLane: nextLane(first, deliveries, request.limit) };
}

/** After a full claim on with the lane it ended in, so that its neighbours have their turn too. */
function nextLane(row: ClaimRow, deliveries: readonly Delivery[], limit: number): string {
  if (deliveries.length >= limit) {
    return (
      deliveries
        .map(({ lane }) => lane)
        .sort()
        .at(-1) ?? ''
    );
  }
  return row.lanes_seen === maxLanesPerClaim ? (row.last_lane ?? '') : '';
}

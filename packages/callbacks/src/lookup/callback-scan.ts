import { idLowerBound, PlatformError, parseId } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import { type Scan, type ScanLimits, scanRows } from '../bounded-scan.js';
import type { CallbackState, Ending, FailureReason } from '../delivery/delivery.js';
import {
  type CallbackSummary,
  hasHost,
  type LiveColumns,
  toDueAt,
  toState,
} from './callback-view.js';

/** Which callbacks are meant: those that fit everything that is given. */
export interface CallbackFilter {
  readonly state?: CallbackState | undefined;
  readonly application?: string | undefined;
  readonly queue?: string | undefined;
  readonly endpointId?: string | undefined;
  /** By the time in the id, which is the one of the process that took the callback in. */
  readonly createdFrom?: Date | undefined;
  /** Exclusive. */
  readonly createdTo?: Date | undefined;
  /** Host of the URL, such as `example.com`, or with its port, `example.com:8443`. */
  readonly host?: string | undefined;
  /** Of the last attempt; 0 when it had no answer. */
  readonly statusCode?: number | undefined;
}

/** A part of all callbacks, and the way through it. */
export interface ScanRange {
  readonly order: 'newest' | 'oldest';
  /** Ids above this one only. */
  readonly after?: string | undefined;
  /** Ids below this one only. */
  readonly before?: string | undefined;
}

/** What a scan came across; `last` is the id up to which everything was looked at. */
export type CallbackScan = Scan<string, CallbackSummary>;

/**
 * What leads a scan. All of them give ids in order and stop after as many as asked for; the rest of
 * the filter is judged row by row. `$1` and `$2` are the bounds of the ids, `$3` is the limit.
 *
 * | filter | leads | index |
 * |---|---|---|
 * | pending, leased or held, with application and queue | `queueHead` | `head_queue`, one row |
 * | pending, leased or held | `heads` | primary key of `head`: what is alive, nothing finished |
 * | waiting, with application and queue | `queue` | `request_queue`: the newest of a queue wait |
 * | waiting | `waiting` | `waiting_callback` |
 * | endpoint | `endpoint` | `request_endpoint` |
 * | application and queue | `queue` | `request_queue` |
 * | failed, expired or cancelled | `ended` | `history_not_delivered` |
 * | application | `application` | `request_application` |
 * | host, status code, delivered, queue alone, times, nothing | `all` | primary key of `request` |
 */
const sources = {
  all: 'select r.id from callbacks.request r where r.id > $1 and r.id < $2 order by r.id',
  application: `select r.id from callbacks.request r
    where r.application = $4 and r.id > $1 and r.id < $2 order by r.id`,
  queue: `select r.id from callbacks.request r
    where r.application = $4 and r.queue = $5 and r.id > $1 and r.id < $2 order by r.id`,
  endpoint: `select r.id from callbacks.request r
    where r.endpoint_id = $4 and r.id > $1 and r.id < $2 order by r.id`,
  // Distinct, because a callback can fail again after a replay. The condition with the literal is
  // the index's own: a plan that does not know $4 could not use it otherwise.
  ended: `select distinct y.callback_id as id from callbacks.history y
    where y.ending = $4 and y.ending <> 'delivered' and y.callback_id > $1 and y.callback_id < $2
    order by y.callback_id`,
  heads: `select h.callback_id as id from callbacks.head h
    where h.callback_id > $1 and h.callback_id < $2 order by h.callback_id`,
  queueHead: `select h.callback_id as id from callbacks.head h
    where h.application = $4 and h.queue = $5 and h.callback_id > $1 and h.callback_id < $2
    order by h.callback_id`,
  waiting: `select w.callback_id as id from callbacks.waiting w
    where w.callback_id > $1 and w.callback_id < $2 order by w.callback_id`,
} as const;

type SourceName = keyof typeof sources;

/**
 * Subqueries with a limit cannot be merged into the whole: each is one probe of an index for each
 * row that the source gives, whatever the planner believes about the sizes of tables.
 */
const scanStatement = (source: SourceName, order: ScanRange['order']): Statement => ({
  name: `callbacks_scan_${source}_${order}`,
  text: `
select c.id, r.application, r.queue, r.endpoint_id, r.url, r.method, r.created_at,
  case when h.callback_id is not null then 'head' when w.callback_id is not null then 'waiting' end
    as live,
  h.hold, h.lease_token, coalesce(h.due_at, w.due_at) as due_at,
  last.ending, last.recorded_at,
  (extract(epoch from a.started_at) * 1000)::float8 as started_ms, a.duration_ns, a.status_code,
  a.reason
from (${sources[source]} ${order === 'newest' ? 'desc' : 'asc'} limit $3) c
left join lateral (select * from callbacks.request r where r.id = c.id limit 1) r on true
left join lateral (select * from callbacks.head h where h.callback_id = c.id limit 1) h on true
left join lateral (select * from callbacks.waiting w where w.callback_id = c.id limit 1) w on true
left join lateral (
  select y.ending, y.recorded_at from callbacks.history y
  where y.callback_id = c.id order by y.step desc limit 1
) last on true
left join lateral (
  select y.started_at, y.duration_ns, y.status_code, y.reason from callbacks.history y
  where y.callback_id = c.id and y.status_code is not null order by y.step desc limit 1
) a on true
order by c.id ${order === 'newest' ? 'desc' : 'asc'}`,
});

interface ScanRow extends LiveColumns {
  readonly id: string;
  /** Null, as all columns of the request, when retention is just dropping it. */
  readonly application: string | null;
  readonly queue: string | null;
  readonly endpoint_id: string | null;
  readonly url: string;
  readonly method: string;
  readonly created_at: Date;
  readonly ending: Ending | null;
  readonly recorded_at: Date | null;
  readonly started_ms: number | null;
  readonly duration_ns: bigint | null;
  readonly status_code: number | null;
  readonly reason: FailureReason | null;
}

const lowestId = '00000000-0000-0000-0000-000000000000';
const highestId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * Looks through callbacks in the order of their ids.
 * @throws PlatformError `REQUEST_INVALID` for a filter that makes no sense
 */
export async function scanCallbacks(
  db: Queryable,
  filter: CallbackFilter,
  range: ScanRange,
  limits: ScanLimits,
): Promise<CallbackScan> {
  checkFilter(filter);
  const { name, keys } = chooseSource(filter);
  const statement = scanStatement(name, range.order);
  const [low, high] = toBounds(filter, range);
  const { last, ...scan } = await scanRows(
    async (after: ScanRow | undefined, count) => {
      const bounds = range.order === 'newest' ? [low, after?.id ?? high] : [after?.id ?? low, high];
      return (await db.query<ScanRow>(statement, [...bounds, count, ...keys])).rows;
    },
    (row) => {
      const summary = toSummary(row);
      return summary && isMatch(summary, filter) ? summary : undefined;
    },
    limits,
  );
  return { ...scan, last: last?.id };
}

/** @throws PlatformError `REQUEST_INVALID` */
export function checkFilter(filter: CallbackFilter): void {
  const { application, queue, endpointId, createdFrom, createdTo, host } = filter;
  const faults: string[] = [];
  for (const [field, text] of Object.entries({ application, queue, host })) {
    if (text?.includes('\0')) faults.push(`${field} has control characters`);
  }
  if (endpointId !== undefined && parseId(endpointId) === undefined) {
    faults.push('endpointId is not an id');
  }
  for (const [field, moment] of Object.entries({ createdFrom, createdTo })) {
    if (moment && !(moment.getTime() >= 0 && moment.getTime() < 2 ** 48)) {
      faults.push(`${field} is out of range`);
    }
  }
  if (faults.length > 0) throw new PlatformError('REQUEST_INVALID', faults.join('; '));
}

function chooseSource(filter: CallbackFilter): { name: SourceName; keys: readonly string[] } {
  const { state, application, queue, endpointId } = filter;
  const ofQueue =
    application !== undefined && queue !== undefined ? [application, queue] : undefined;
  switch (state) {
    case 'pending':
    case 'leased':
    case 'held':
      return ofQueue ? { name: 'queueHead', keys: ofQueue } : { name: 'heads', keys: [] };
    case 'waiting':
      return ofQueue ? { name: 'queue', keys: ofQueue } : { name: 'waiting', keys: [] };
  }
  if (endpointId !== undefined) return { name: 'endpoint', keys: [endpointId] };
  if (ofQueue) return { name: 'queue', keys: ofQueue };
  if (state !== undefined && state !== 'delivered') return { name: 'ended', keys: [state] };
  if (application !== undefined) return { name: 'application', keys: [application] };
  return { name: 'all', keys: [] };
}

/** Both exclusive. No id equals the lower bound of a moment: its random bits would all be zero. */
function toBounds(filter: CallbackFilter, range: ScanRange): [low: string, high: string] {
  const { createdFrom, createdTo } = filter;
  // Ids in lower case with hyphens sort as text the way they sort as numbers.
  const lows = [range.after ?? lowestId, createdFrom ? idLowerBound(createdFrom) : lowestId].sort();
  const highs = [range.before ?? highestId, createdTo ? idLowerBound(createdTo) : highestId].sort();
  return [lows[1] ?? lowestId, highs[0] ?? highestId];
}

function isMatch(summary: CallbackSummary, filter: CallbackFilter): boolean {
  const { state, application, queue, endpointId, host, statusCode } = filter;
  return (
    (state === undefined || summary.state === state) &&
    (application === undefined || summary.application === application) &&
    (queue === undefined || summary.queue === queue) &&
    (endpointId === undefined || summary.endpointId === parseId(endpointId)) &&
    (statusCode === undefined || summary.lastAttempt?.statusCode === statusCode) &&
    (host === undefined || hasHost(summary.url, host))
  );
}

function toSummary(row: ScanRow): CallbackSummary | undefined {
  const state = toState(row, row.ending);
  if (state === undefined || row.application === null) return undefined;
  return {
    id: row.id,
    application: row.application,
    queue: row.queue ?? undefined,
    endpointId: row.endpoint_id ?? undefined,
    state,
    hold: row.hold ?? undefined,
    method: row.method,
    url: row.url,
    createdAt: row.created_at,
    dueAt: toDueAt(row),
    endedAt: row.live === null ? (row.recorded_at ?? undefined) : undefined,
    lastAttempt:
      row.status_code === null
        ? undefined
        : {
            startedAtMs: row.started_ms ?? 0,
            durationNs: row.duration_ns ?? 0n,
            statusCode: row.status_code,
            reason: row.reason ?? undefined,
          },
  };
}

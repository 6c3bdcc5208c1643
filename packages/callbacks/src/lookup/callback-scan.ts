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

/** Filter of callbacks. A callback must match every member that is given. */
export interface CallbackFilter {
  readonly state?: CallbackState | undefined;
  readonly application?: string | undefined;
  readonly queue?: string | undefined;
  readonly endpointId?: string | undefined;
  /** Earliest time in the id, which is the clock of the process that accepted the callback. */
  readonly createdFrom?: Date | undefined;
  /** The end of that time, exclusive. */
  readonly createdTo?: Date | undefined;
  /** Host of the URL, such as `example.com`, or host and port, such as `example.com:8443`. */
  readonly host?: string | undefined;
  /** Status code of the last attempt; 0 when it had no answer. */
  readonly statusCode?: number | undefined;
}

/** A scan to make: the filter, the order, the range of ids and the limits. */
export interface CallbackScanRequest extends ScanLimits {
  readonly filter: CallbackFilter;
  readonly order: 'newest' | 'oldest';
  /** Lower bound of the ids, exclusive. Default: none. */
  readonly after?: string | undefined;
  /** Upper bound of the ids, exclusive. Default: none. */
  readonly before?: string | undefined;
}

/** Result of a scan. `last` is the id up to which every callback was scanned. */
export type CallbackScan = Scan<string, CallbackSummary>;

/**
 * Sources of a scan. Each gives ids in order, at most as many as asked for. The rest of the filter
 * is applied row by row. `$1` and `$2` are the bounds of the ids, `$3` is the limit.
 *
 * | filter | source | index |
 * |---|---|---|
 * | pending, leased or held, with application and queue | `queueHead` | `head_queue`, one row |
 * | pending, leased or held | `heads` | primary key of `head`, which has no finished callbacks |
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
  // Distinct, because a callback can fail again after a replay. The condition with the literal
  // repeats the one of the partial index: a plan that does not know $4 could not use it otherwise.
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
 * Reads the callbacks of a source. The planner cannot merge subqueries with a limit into the whole
 * query: each stays one index probe per row of the source, whatever it assumes about table sizes.
 */
const scanStatement = (source: SourceName, order: CallbackScanRequest['order']): Statement => ({
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
  /** Null, as all columns of the request, while retention is dropping the callback. */
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
 * Scans callbacks in the order of their ids.
 * @throws PlatformError `REQUEST_INVALID` for an invalid filter
 */
export async function scanCallbacks(
  db: Queryable,
  request: CallbackScanRequest,
): Promise<CallbackScan> {
  const { filter, order } = request;
  checkFilter(filter);
  const { name, keys } = chooseSource(filter);
  const statement = scanStatement(name, order);
  const [low, high] = toBounds(request);
  const { last, ...scan } = await scanRows(
    async (after: ScanRow | undefined, count) => {
      const bounds = order === 'newest' ? [low, after?.id ?? high] : [after?.id ?? low, high];
      return (await db.query<ScanRow>(statement, [...bounds, count, ...keys])).rows;
    },
    (row) => {
      const summary = toSummary(row);
      return summary && isMatch(summary, filter) ? summary : undefined;
    },
    request,
  );
  return { ...scan, last: last?.id };
}

/** Checks a filter. @throws PlatformError `REQUEST_INVALID` with everything that is wrong */
export function checkFilter(filter: CallbackFilter): void {
  const { application, queue, endpointId, createdFrom, createdTo, host } = filter;
  const faults: string[] = [];
  for (const [field, text] of Object.entries({ application, queue, host })) {
    if (text?.includes('\0')) faults.push(`${field} contains control characters`);
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
  if (state === 'pending' || state === 'leased' || state === 'held') {
    return ofQueue ? { name: 'queueHead', keys: ofQueue } : { name: 'heads', keys: [] };
  }
  if (state === 'waiting') {
    return ofQueue ? { name: 'queue', keys: ofQueue } : { name: 'waiting', keys: [] };
  }
  if (endpointId !== undefined) return { name: 'endpoint', keys: [endpointId] };
  if (ofQueue) return { name: 'queue', keys: ofQueue };
  if (state !== undefined && state !== 'delivered') return { name: 'ended', keys: [state] };
  if (application !== undefined) return { name: 'application', keys: [application] };
  return { name: 'all', keys: [] };
}

/**
 * Returns the bounds of the ids, both exclusive. No id is lost at the lower bound of a moment: an
 * id equal to it would have random bits that are all zero.
 */
function toBounds(request: CallbackScanRequest): [low: string, high: string] {
  const { after = lowestId, before = highestId } = request;
  const { createdFrom, createdTo } = request.filter;
  // Ids in lower case with hyphens have the same order as text and as numbers.
  const lows = [after, createdFrom ? idLowerBound(createdFrom) : lowestId].sort();
  const highs = [before, createdTo ? idLowerBound(createdTo) : highestId].sort();
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

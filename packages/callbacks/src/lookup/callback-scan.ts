import { type Applications, idLowerBound, parseId } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import { listedApplications } from '../application-filter.js';
import { type Scan, type ScanLimits, scanRows } from '../bounded-scan.js';
import type { Ending, FailureReason } from '../delivery/delivery.js';
import { type CallbackFilter, checkFilter } from './callback-filter.js';
import { chooseSource, type ScanOrder, type SourceName, sourceText } from './callback-sources.js';
import {
  type CallbackSummary,
  hasHost,
  type LiveColumns,
  toDueAt,
  toState,
} from './callback-view.js';
import { highestId, lowestId } from './id-bounds.js';

/** A scan to make: the filter, the order, the range of ids and the limits. */
export interface CallbackScanRequest extends ScanLimits {
  readonly filter: CallbackFilter;
  /** Applications whose callbacks are scanned. */
  readonly within: Applications;
  readonly order: ScanOrder;
  /** Lower bound of the ids, exclusive. Default: none. */
  readonly after?: string | undefined;
  /** Upper bound of the ids, exclusive. Default: none. */
  readonly before?: string | undefined;
}

/** Result of a scan. `last` is the id up to which every callback was scanned. */
export type CallbackScan = Scan<string, CallbackSummary>;

/**
 * Reads the callbacks of a source. The planner cannot merge subqueries with a limit into the whole
 * query: each stays one index probe per row of the source, whatever it assumes about table sizes.
 */
const scanStatement = (source: SourceName, order: ScanOrder): Statement => ({
  name: `callbacks_scan_${source}_${order}`,
  text: `
select c.id, r.application, r.queue, r.endpoint_id, r.url, r.method, r.created_at,
  case when h.callback_id is not null then 'head' when w.callback_id is not null then 'waiting' end
    as live,
  h.hold, h.lease_token, coalesce(h.due_at, w.due_at) as due_at,
  last.ending, last.recorded_at,
  (extract(epoch from a.started_at) * 1000)::float8 as started_ms, a.duration_ns, a.status_code,
  a.reason
from (${sourceText(source, order)}) c
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

/**
 * Scans callbacks in the order of their ids. callback-sources.ts names the index of each filter.
 * @throws PlatformError `REQUEST_INVALID` for an invalid filter
 */
export async function scanCallbacks(
  db: Queryable,
  request: CallbackScanRequest,
): Promise<CallbackScan> {
  const { filter, order, within } = request;
  checkFilter(filter);
  const { application } = filter;
  const applications = within === 'all' ? undefined : listedApplications({ within, application });
  const { name, keys } = chooseSource(filter, applications);
  const statement = scanStatement(name, order);
  const [low, high] = toBounds(request);
  const { last, ...scan } = await scanRows(
    async (after: ScanRow | undefined, count) => {
      const bounds = order === 'newest' ? [low, after?.id ?? high] : [after?.id ?? low, high];
      return (await db.query<ScanRow>(statement, [...bounds, count, ...keys])).rows;
    },
    (row) => {
      const summary = toSummary(row);
      const isVisible = summary && (applications?.includes(summary.application) ?? true);
      return isVisible && isMatch(summary, filter) ? summary : undefined;
    },
    { ...request, maxRows: maxRowsOf(request.maxRows, applications) },
  );
  return { ...scan, last: last?.id };
}

/** Most index entries that a scan of several applications reads: it reads up to its rows of each. */
const maxMergedEntries = 100_000;

/** Returns the most rows of a scan. With many applications it is less. */
function maxRowsOf(maxRows: number, applications: readonly string[] | undefined): number {
  const each = Math.ceil(maxMergedEntries / (applications?.length || 1));
  return Math.min(maxRows, each);
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

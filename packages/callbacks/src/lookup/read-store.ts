import { type Applications, parseId, toApplicationColumn } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import { type Page, type PageRequest, pageLimit, parseIdCursor, toIdCursor } from '../page.js';
import { fromStoredPolicy } from '../retry/retry-policy.js';
import type { CallbackListFilter } from './callback-filter.js';
import { scanCallbacks } from './callback-scan.js';
import {
  type AttemptView,
  type CallbackSummary,
  type CallbackView,
  type HistoryRow,
  type LeaseView,
  type LiveColumns,
  toAttempt,
  toDueAt,
  toLease,
  toState,
} from './callback-view.js';

interface RequestRow {
  readonly application: string;
  readonly queue: string | null;
  readonly endpoint_id: string | null;
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string> | null;
  readonly body: Buffer | null;
  readonly policy: unknown;
  readonly timeout_ms: number;
  readonly secret: string | null;
  readonly notification_email: string | null;
  readonly expires_at: Date | null;
  readonly created_at: Date;
}

const requestStatement: Statement = {
  name: 'callbacks_find_request',
  text: `
select application, queue, endpoint_id, url, method, headers, body, policy, timeout_ms, secret,
  notification_email, expires_at, created_at
from callbacks.request
where id = $1 and ($2::text[] is null or application = any($2))`,
};

interface LeaseColumns extends LiveColumns {
  readonly head_step: number | null;
  readonly lease_holder: string | null;
  readonly lease_taken_at: Date | null;
  readonly lease_ends_at: Date | null;
  readonly cancelled: boolean | null;
}

/** Row with the present state and one row of history. `step` is null if there is no history. */
type StateRow = LeaseColumns & (HistoryRow | { readonly step: null });

/**
 * Reads the present state and the history of a callback in one statement, and so as of one moment.
 * The request is read by another statement: it never changes, and would be repeated in every row.
 */
const stateStatement: Statement = {
  name: 'callbacks_find_state',
  text: `
select
  case when h.callback_id is not null then 'head' when w.callback_id is not null then 'waiting' end
    as live,
  h.hold, h.lease_token, coalesce(h.due_at, w.due_at) as due_at, h.step as head_step,
  h.lease_holder, h.leased_at as lease_taken_at, h.due_at as lease_ends_at, h.cancelled,
  y.step, y.machine, y.leased_at, y.leased_until, y.completed_at,
  (extract(epoch from y.started_at) * 1000)::float8 as started_ms, y.duration_ns, y.status_code,
  y.reason, y.detail, y.response_headers, y.response_body, y.truncated, y.cut, y.resent, y.ending,
  y.recorded_at
from (select $1::uuid as id) i
left join callbacks.head h on h.callback_id = i.id
left join callbacks.waiting w on w.callback_id = i.id
left join lateral (
  select * from callbacks.history y where y.callback_id = i.id order by y.step desc limit $2
) y on true
order by y.step desc`,
};

/** Most history rows that are read of one callback: responses are held in memory. */
const maxHistory = 1_000;

/**
 * Finds a callback of these applications with its last 1,000 attempts and leases; `undefined` when
 * there is none with this id, or it is past its retention. Indexes: the primary keys.
 */
export async function findCallback(
  db: Queryable,
  id: string,
  within: Applications,
): Promise<CallbackView | undefined> {
  const uuid = parseId(id);
  if (uuid === undefined) return undefined;
  const values = [uuid, toApplicationColumn(within)];
  const [request] = (await db.query<RequestRow>(requestStatement, values)).rows;
  if (!request) return undefined;
  const { rows } = await db.query<StateRow>(stateStatement, [uuid, maxHistory + 1]);
  const [current] = rows;
  return current && toView({ id: uuid, request, current, newestFirst: rows.filter(isHistory) });
}

/** Most rows that one page scans. A filter that no index serves continues on the next page. */
const maxRowsPerPage = 2_000;

/**
 * Lists the callbacks that match a filter, newest first. Pages are stable: callbacks added
 * meanwhile are never in a later page, and no callback is in two. The cost of a page is bounded for
 * every filter (callback-sources.ts names the indexes), so a page may be short, even empty, and
 * still be followed by others. For a caller who may see some applications only, all rows that it
 * scans are theirs.
 * @throws PlatformError `REQUEST_INVALID`
 */
export async function listCallbacks(
  db: Queryable,
  { within, ...filter }: CallbackListFilter,
  page: PageRequest,
): Promise<Page<CallbackSummary>> {
  const before = page.cursor === undefined ? undefined : parseIdCursor(page.cursor);
  const { matches, last, finished } = await scanCallbacks(db, {
    filter,
    within,
    order: 'newest',
    before,
    maxMatches: pageLimit(page),
    maxRows: maxRowsPerPage,
  });
  return { items: matches, next: finished || !last ? undefined : toIdCursor(last) };
}

interface FoundCallback {
  readonly id: string;
  readonly request: RequestRow;
  readonly current: LeaseColumns;
  /** History, newest first. */
  readonly newestFirst: readonly HistoryRow[];
}

function toView(found: FoundCallback): CallbackView | undefined {
  const { id, request, current, newestFirst } = found;
  const last = newestFirst[0];
  const state = toState(current, last?.ending ?? null);
  if (state === undefined) return undefined;
  const history = newestFirst.slice(0, maxHistory).reverse();
  return {
    id,
    application: request.application,
    queue: request.queue ?? undefined,
    endpointId: request.endpoint_id ?? undefined,
    state,
    hold: current.hold ?? undefined,
    cancelling: current.cancelled === true && state === 'leased',
    request: toRequest(request),
    createdAt: request.created_at,
    expiresAt: request.expires_at ?? undefined,
    dueAt: toDueAt(current),
    endedAt: current.live === null ? last?.recorded_at : undefined,
    attempts: history.map(toAttempt).filter((attempt): attempt is AttemptView => !!attempt),
    leases: [...history.map(toLease), toRunningLease(current)].filter(
      (lease): lease is LeaseView => lease !== undefined,
    ),
    shortened: newestFirst.length > maxHistory,
  };
}

function isHistory(row: StateRow): row is LeaseColumns & HistoryRow {
  return row.step !== null;
}

function toRunningLease(current: LeaseColumns): LeaseView | undefined {
  const { head_step: step, lease_taken_at: acquiredAt, lease_ends_at: until } = current;
  if (current.lease_token === null || step === null || !acquiredAt || !until) return undefined;
  const machine = current.lease_holder ?? '';
  return { step, machine, acquiredAt, until, completedAt: undefined, note: undefined };
}

function toRequest(row: RequestRow): CallbackView['request'] {
  return {
    url: row.url,
    method: row.method,
    headers: row.headers ?? undefined,
    body: row.body ?? undefined,
    policy: fromStoredPolicy(row.policy),
    timeoutMs: row.timeout_ms,
    secret: row.secret ?? undefined,
    notificationEmail: row.notification_email ?? undefined,
  };
}

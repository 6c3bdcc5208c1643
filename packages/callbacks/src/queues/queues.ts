import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import { type ApplicationFilter, listedApplications } from '../application-filter.js';
import { scanRows } from '../bounded-scan.js';
import type { Hold } from '../delivery/delivery.js';
import { type Page, type PageRequest, pageLimit, parsePairCursor, toPairCursor } from '../page.js';
import { checkQueueKey, type QueueKey, queueError } from './queue-key.js';

/**
 * State of a queue.
 *
 * - `parked`: its head failed for good, and nothing of it is sent until it is unblocked.
 * - `paused`: it was paused through the API, and can be resumed.
 * - `blocked`: its head waits for a retry, or for its endpoint to be active again.
 * - `active`: any other queue, also an empty one.
 */
export type QueueState = 'active' | 'paused' | 'parked' | 'blocked';

/** Policy for a head that fails for good: `skip` it for the next callback, or `park` the queue. */
export type OnFailure = 'skip' | 'park';

/** A queue with its settings, its depth and its head. */
export interface QueueView extends QueueKey {
  readonly state: QueueState;
  /** True if it is paused; a parked queue can be paused too, and stays so when it is unblocked. */
  readonly paused: boolean;
  readonly onFailure: OnFailure;
  /** Number of callbacks in it, the head included; counted up to 10,000. */
  readonly depth: number;
  /** True if it has more callbacks than were counted. */
  readonly depthCapped: boolean;
  /** Absent when the queue is empty. */
  readonly head: QueueHead | undefined;
}

/** The callback of a queue that is delivered next. */
export interface QueueHead {
  readonly id: string;
  readonly createdAt: Date;
  /** Time since it was accepted, in ms, by the database's clock. */
  readonly ageMs: number;
  /** No attempt starts before this moment; absent during an attempt. */
  readonly dueAt: Date | undefined;
  /** Number of failed attempts that count against its policy. */
  readonly failures: number;
  readonly hold: Hold | undefined;
}

/** Filter of queues. A queue must match every member that is given. */
export interface QueueFilter extends ApplicationFilter {
  readonly state?: QueueState | undefined;
}

interface QueueRow extends QueueKey {
  /** True if the queue has a head or settings. */
  readonly known: boolean;
  readonly paused: boolean;
  readonly on_failure: OnFailure;
  readonly head_id: string | null;
  readonly created_at: Date;
  readonly age_ms: number;
  readonly due_at: Date;
  readonly failures: number;
  readonly hold: Hold | null;
  readonly leased: boolean;
  readonly ready: boolean;
  readonly retry: boolean;
}

/** Most rows that one page scans. */
const maxRowsPerPage = 2_000;
/** Most callbacks of a queue that are counted. */
const maxDepth = 10_000;
/** The callbacks of each queue are counted, so a page reads at most a million index entries. */
const maxQueuesPerPage = 100;

/**
 * Reads the names of queues after `($1, $2)`, at most `$3`. A queue has a head, settings or both.
 * Indexes: `head_queue` and the primary key of `queue`; `head_held` for parked queues,
 * `queue_paused` for paused ones. Blocked and active queues have no index: the rows scanned are
 * limited.
 */
const keySources = {
  any: (range: string): string => `
    (select t.application, t.queue from callbacks.head t where t.queue is not null and ${range}
      order by t.application, t.queue limit $3)
    union
    (select t.application, t.queue from callbacks.queue t where ${range}
      order by t.application, t.queue limit $3)`,
  parked: (range: string): string => `
    select t.application, t.queue from callbacks.head t
    where t.hold = 'parked' and t.queue is not null and ${range}`,
  paused: (range: string): string => `
    select t.application, t.queue from callbacks.queue t where t.paused and ${range}`,
} as const;

const afterStart = '(t.application, t.queue) > ($1, $2)';

/**
 * SQL of the queues to list, in their order: all, or those of each application of `$4`. The latter
 * reads no queue of another application, and for each of its own at most `$3` index entries.
 */
const keyScopes = {
  all: (source: keyof typeof keySources): string => `
    select * from (${keySources[source](afterStart)}) k`,
  own: (source: keyof typeof keySources): string => `
    select k.* from unnest($4::text[]) a(application)
    cross join lateral (
      select * from (${keySources[source](`t.application = a.application and ${afterStart}`)}) k
      order by k.queue limit $3
    ) k
    where a.application >= $1`,
} as const;

const viewText = (keys: string): string => `
select k.application, k.queue, q.queue is not null or h.queue is not null as known,
  coalesce(q.paused, false) as paused, coalesce(q.on_failure, 'skip') as on_failure,
  h.callback_id as head_id, r.created_at,
  (extract(epoch from now() - r.created_at) * 1000)::float8 as age_ms,
  h.due_at, h.failures, h.hold, h.lease_token is not null as leased, h.ready, h.retry
from (${keys}) k
left join lateral (
  select * from callbacks.queue q where q.application = k.application and q.queue = k.queue limit 1
) q on true
left join lateral (
  select * from callbacks.head h where h.application = k.application and h.queue = k.queue limit 1
) h on true
left join lateral (
  select r.created_at from callbacks.request r where r.id = h.callback_id limit 1
) r on true
order by k.application, k.queue`;

const listStatement = (
  source: keyof typeof keySources,
  scope: keyof typeof keyScopes,
): Statement => ({
  name: `callbacks_queues_${source}_${scope}`,
  text: viewText(`${keyScopes[scope](source)} order by application, queue limit $3`),
});

const oneStatement: Statement = {
  name: 'callbacks_queue',
  text: viewText('select $1::text as application, $2::text as queue'),
};

const depthStatement: Statement = {
  name: 'callbacks_queue_depth',
  text: `
select d.waiting
from unnest($1::text[], $2::text[]) with ordinality as k(application, queue, n)
cross join lateral (
  select count(*)::int as waiting from (
    select from callbacks.waiting w
    where w.application = k.application and w.queue = k.queue limit $3
  ) counted
) d
order by k.n`,
};

/**
 * Lists the queues that have callbacks or settings, in the order of their names. A page may be
 * short, even empty, and still be followed by others. For a caller who may see some applications
 * only, all rows that it scans are theirs.
 * @param page `limit` at most 100
 * @throws PlatformError `REQUEST_INVALID`
 */
export async function listQueues(
  db: Queryable,
  filter: QueueFilter,
  page: PageRequest,
): Promise<Page<QueueView>> {
  const { application, state } = filter;
  const maxMatches = pageLimit(page, maxQueuesPerPage);
  if (application?.includes('\0')) {
    throw new PlatformError('REQUEST_INVALID', 'application contains control characters');
  }
  const [startApplication, startQueue] =
    page.cursor === undefined ? ['', ''] : parsePairCursor(page.cursor);
  const source = state === 'parked' || state === 'paused' ? state : 'any';
  const applications = listedApplications(filter);
  const statement = listStatement(source, applications ? 'own' : 'all');
  const { matches, last, finished } = await scanRows(
    async (after: QueueRow | undefined, count) => {
      const start = after ? [after.application, after.queue] : [startApplication, startQueue];
      const values = [...start, count, ...(applications ? [applications] : [])];
      return (await db.query<QueueRow>(statement, values)).rows;
    },
    (row) => (state === undefined || toQueueState(row) === state ? row : undefined),
    { maxMatches, maxRows: maxRowsPerPage },
  );
  return {
    items: await withDepths(db, matches),
    next: finished || !last ? undefined : toPairCursor(last.application, last.queue),
  };
}

/**
 * Returns a queue of an application that the caller may see.
 * @throws PlatformError `QUEUE_NOT_FOUND` when it is empty and has no settings; `CALLBACK_INVALID`
 *   for an invalid name
 */
export async function getQueue(db: Queryable, key: QueueKey): Promise<QueueView> {
  checkQueueKey(key);
  const { rows } = await db.query<QueueRow>(oneStatement, [key.application, key.queue]);
  const [queue] = await withDepths(
    db,
    rows.filter(({ known }) => known),
  );
  if (queue) return queue;
  const advice = 'create it by sending a callback to it, or check the name';
  throw queueError('QUEUE_NOT_FOUND', key, `does not exist; ${advice}`);
}

/** Adds the depths. They are counted after the list, which scans queues that it then leaves out. */
async function withDepths(db: Queryable, queues: readonly QueueRow[]): Promise<QueueView[]> {
  if (queues.length === 0) return [];
  const { rows } = await db.query<{ waiting: number }>(depthStatement, [
    queues.map(({ application }) => application),
    queues.map(({ queue }) => queue),
    maxDepth,
  ]);
  return queues.map((queue, i) => toQueueView(queue, rows[i]?.waiting ?? 0));
}

function toQueueView(row: QueueRow, waiting: number): QueueView {
  // The head is not among the waiting ones.
  const count = waiting + (row.head_id === null ? 0 : 1);
  return {
    application: row.application,
    queue: row.queue,
    state: toQueueState(row),
    paused: row.paused,
    onFailure: row.on_failure,
    depth: Math.min(count, maxDepth),
    depthCapped: count > maxDepth,
    head: toQueueHead(row),
  };
}

function toQueueHead(row: QueueRow): QueueHead | undefined {
  if (row.head_id === null) return undefined;
  return {
    id: row.head_id,
    createdAt: row.created_at,
    ageMs: row.age_ms,
    dueAt: row.leased ? undefined : row.due_at,
    failures: row.failures,
    hold: row.hold ?? undefined,
  };
}

function toQueueState(row: QueueRow): QueueState {
  if (row.hold === 'parked') return 'parked';
  if (row.paused) return 'paused';
  const waits = row.head_id !== null && !row.ready && !row.leased;
  return waits && (row.retry || row.hold === 'endpoint') ? 'blocked' : 'active';
}

import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import { withApplication } from '../application-name.js';
import { scanRows } from '../bounded-scan.js';
import type { Hold } from '../lookup/callback-view.js';
import { type Page, type PageRequest, pageLimit, parsePairCursor, toPairCursor } from '../page.js';
import { callbackInvalid } from '../request/request.js';

/**
 * - `parked`: its head failed for good, and nothing moves until somebody unblocks it.
 * - `paused`: somebody paused it.
 * - `blocked`: its head waits for a retry, or for its endpoint to take something again.
 * - `active`: anything else, an empty queue too.
 */
export type QueueState = 'active' | 'paused' | 'parked' | 'blocked';

/** What happens when the head of a queue fails for good: the next one follows, or all stop. */
export type OnFailure = 'skip' | 'park';

/** Names a queue. */
export interface QueueKey {
  readonly application: string;
  readonly queue: string;
}

export interface QueueView extends QueueKey {
  readonly state: QueueState;
  /** Also known of a parked queue, which stays paused when it is unblocked. */
  readonly paused: boolean;
  readonly onFailure: OnFailure;
  /** Callbacks in it, the head included; counted up to 10,000. */
  readonly depth: number;
  /** Whether there are more than were counted. */
  readonly depthCapped: boolean;
  /** Absent when the queue is empty. */
  readonly head: QueueHead | undefined;
}

export interface QueueHead {
  readonly id: string;
  readonly createdAt: Date;
  /** Since it was accepted, by the database's clock. */
  readonly ageMs: number;
  /** No attempt starts before this; absent while one is under way. */
  readonly dueAt: Date | undefined;
  /** Failed attempts that count against its policy. */
  readonly failures: number;
  readonly hold: Hold | undefined;
}

export interface QueueFilter {
  readonly application?: string | undefined;
  readonly state?: QueueState | undefined;
}

interface QueueRow extends QueueKey {
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

const maxNameLength = 256;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controlCharacters = /[\u0000-\u001f\u007f]/;

/** Rows that one page looks at, and callbacks of a queue that are counted. */
const maxRowsPerPage = 2_000;
const maxDepth = 10_000;
/** Of queues, because each is counted: a page never costs more than a million index entries. */
const maxQueuesPerPage = 100;

/**
 * Queues that follow `($1, $2)`, at most `$3`. A queue is known by its head or by its settings.
 * Indexes: `head_queue` and the primary key of `queue`; `head_held` for parked ones, `queue_paused`
 * for paused ones. Blocked and active ones have no index: rows looked at are bounded.
 */
const keySources = {
  any: (place: string): string => `
    (select t.application, t.queue from callbacks.head t where t.queue is not null and ${place}
      order by t.application, t.queue limit $3)
    union
    (select t.application, t.queue from callbacks.queue t where ${place}
      order by t.application, t.queue limit $3)`,
  parked: (place: string): string => `
    select t.application, t.queue from callbacks.head t
    where t.hold = 'parked' and t.queue is not null and ${place}`,
  paused: (place: string): string => `
    select t.application, t.queue from callbacks.queue t where t.paused and ${place}`,
} as const;

const places = {
  everywhere: '(t.application, t.queue) > ($1, $2)',
  application: 't.application = $1 and t.queue > $2',
} as const;

const viewOf = (keys: string): string => `
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

const listStatement = (source: keyof typeof keySources, place: keyof typeof places): Statement => ({
  name: `callbacks_queues_${source}_${place}`,
  text: viewOf(
    `select * from (${keySources[source](places[place])}) k
     order by application, queue limit $3`,
  ),
});

const oneStatement: Statement = {
  name: 'callbacks_queue',
  text: viewOf('select $1::text as application, $2::text as queue'),
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
 * Queues that have a callback alive or settings of their own, in the order of their names. A page
 * may be short, even empty, and others follow.
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
    throw new PlatformError('REQUEST_INVALID', 'application has control characters');
  }
  const [startApplication, startQueue] =
    page.cursor === undefined ? [application ?? '', ''] : parsePairCursor(page.cursor);
  const source = state === 'parked' || state === 'paused' ? state : 'any';
  const statement = listStatement(source, application === undefined ? 'everywhere' : 'application');
  const { matches, last, finished } = await scanRows(
    async (after: QueueRow | undefined, count) => {
      const start = [
        application ?? after?.application ?? startApplication,
        after?.queue ?? startQueue,
      ];
      return (await db.query<QueueRow>(statement, [...start, count])).rows;
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
 * @throws PlatformError `QUEUE_NOT_FOUND` when nothing is in it and it has no settings;
 *   `CALLBACK_INVALID` for an impossible name
 */
export async function getQueue(db: Queryable, key: QueueKey): Promise<QueueView> {
  checkQueueKey(key);
  const { rows } = await db.query<QueueRow>(oneStatement, [key.application, key.queue]);
  const [queue] = await withDepths(
    db,
    rows.filter(({ known }) => known),
  );
  if (queue) return queue;
  throw new PlatformError(
    'QUEUE_NOT_FOUND',
    `there is no ${withApplication(`queue ${key.queue}`, key.application)}`,
  );
}

/**
 * The limits that intake has: other names would be settings of a queue that cannot be.
 * @throws PlatformError `CALLBACK_INVALID`
 */
export function checkQueueKey({ application, queue }: QueueKey): void {
  const faults = Object.entries({ application, queue })
    .filter(([, name]) => name.length > maxNameLength || controlCharacters.test(name))
    .map(([field]) => ({ field, message: 'is too long or has control characters' }));
  if (queue === '') faults.push({ field: 'queue', message: 'is missing' });
  if (faults.length > 0) throw callbackInvalid(faults);
}

/** Counted apart from the list, which looks at queues that it then leaves out. */
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

import { idTime, newId, PlatformError, parseId } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';
import type { Ending } from '../delivery/delivery.js';
import { type CallbackFilter, checkFilter, scanCallbacks } from '../lookup/callback-scan.js';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parseIdCursor,
  toIdCursor,
  toPage,
} from '../page.js';
import { requeueCallbacks } from './requeue-store.js';

/** Endings that can be replayed. `expired` is none: such a callback would only expire again. */
export type ReplayableEnding = Exclude<Ending, 'expired'>;

/** Filter of the callbacks to replay. It is checked when the scan of the replay reaches them. */
export interface ReplayFilter extends Omit<CallbackFilter, 'state'> {
  /** Ending that the callback must have at that moment. */
  readonly state: ReplayableEnding;
}

/** Options of a new replay. */
export interface ReplayOptions {
  readonly filter: ReplayFilter;
  /** Highest rate, in callbacks per second, 1 to 10,000. Default 100. */
  readonly ratePerSecond?: number | undefined;
  /** Most running replays of the filter's application, and of those without one. Default 10. */
  readonly maxRunning?: number | undefined;
}

/**
 * A job that delivers many callbacks once more, oldest first, and so in the order of their queues.
 * It covers only callbacks that were accepted before it was created, each of them once.
 */
export interface Replay {
  readonly id: string;
  readonly filter: ReplayFilter;
  readonly ratePerSecond: number;
  readonly state: 'running' | 'done' | 'cancelled';
  /** Number of callbacks scanned so far, whether they match the filter or not. */
  readonly scanned: number;
  /** Number of callbacks requeued so far. */
  readonly replayed: number;
  /** All callbacks accepted before this moment were scanned; absent before the first step. */
  readonly scannedUntil: Date | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

interface ReplayRow {
  readonly id: string;
  readonly filter: StoredFilter;
  readonly rate_per_second: number;
  readonly state: Replay['state'];
  readonly position: string | null;
  readonly scanned: bigint;
  readonly replayed: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** A filter as it is stored in JSON, with moments as text. */
type StoredFilter = Omit<ReplayFilter, 'createdFrom' | 'createdTo'> & {
  readonly createdFrom?: string;
  readonly createdTo?: string;
};

const maxRatePerSecond = 10_000;
const defaultRatePerSecond = 100;
const defaultMaxRunning = 10;
/** Most rows that one step scans. A step holds the locks of what it replays until it ends. */
const maxRowsPerStep = 2_000;
const replayableEndings: ReadonlySet<string> = new Set<ReplayableEnding>([
  'delivered',
  'failed',
  'cancelled',
]);

/** Lets one process at a time count the running replays and insert another. */
const createLockStatement: Statement = {
  name: 'callbacks_replay_create_lock',
  text: `select pg_advisory_xact_lock(hashtext('callbacks.replay create'))`,
};

/** SQL for the application that a replay belongs to; null for one of all applications. */
const applicationOf = (replay: string): string => `${replay}.filter ->> 'application'`;

/** Inserts a replay, unless its application has `$4` that run. */
const createStatement: Statement = {
  name: 'callbacks_replay_create',
  text: `
insert into callbacks.replay (id, filter, rate_per_second)
select $1, $2, $3
where (
  select count(*) from callbacks.replay r
  where r.state = 'running' and ${applicationOf('r')} is not distinct from $2::json ->> 'application'
) < $4
returning *`,
};

/**
 * Creates a replay. Its work is done by {@link stepReplay}, which housekeeping calls.
 * @throws PlatformError `REQUEST_INVALID`, `REPLAY_LIMIT_REACHED`
 */
export async function createReplay(db: Database, options: ReplayOptions): Promise<Replay> {
  const { filter, ratePerSecond = defaultRatePerSecond } = options;
  const { maxRunning = defaultMaxRunning } = options;
  checkFilter(filter);
  if (!replayableEndings.has(filter.state)) {
    throw new PlatformError('REQUEST_INVALID', 'state must be delivered, failed or cancelled');
  }
  if (
    !(Number.isInteger(ratePerSecond) && ratePerSecond >= 1 && ratePerSecond <= maxRatePerSecond)
  ) {
    const message = `ratePerSecond must be a whole number from 1 to ${maxRatePerSecond}`;
    throw new PlatformError('REQUEST_INVALID', message);
  }
  const values = [newId(), JSON.stringify(filter), ratePerSecond, maxRunning];
  const [row] = await db.transaction(async (tx) => {
    await tx.query(createLockStatement);
    return (await tx.query<ReplayRow>(createStatement, values)).rows;
  });
  if (row) return toReplay(row);
  const { application } = filter;
  const owner =
    application === undefined ? 'replays of all applications' : `application '${application}'`;
  const message = `${owner}: ${maxRunning} replays run, and the limit (POSTHASTE_MAX_REPLAYS) is ${maxRunning}`;
  throw new PlatformError('REPLAY_LIMIT_REACHED', message);
}

const getStatement: Statement = {
  name: 'callbacks_replay_get',
  text: 'select * from callbacks.replay where id = $1',
};

/** Returns a replay. @throws PlatformError `REPLAY_NOT_FOUND` */
export async function getReplay(db: Queryable, id: string): Promise<Replay> {
  return toReplay(await getRow(db, getStatement, [parseReplayId(id)]));
}

const listStatement: Statement = {
  name: 'callbacks_replay_list',
  text: 'select * from callbacks.replay where id < $1 order by id desc limit $2',
};

/** Lists replays, newest first. @throws PlatformError `REQUEST_INVALID` */
export async function listReplays(db: Queryable, page: PageRequest): Promise<Page<Replay>> {
  const limit = pageLimit(page);
  const before = page.cursor === undefined ? 'f'.repeat(32) : parseIdCursor(page.cursor);
  const { rows } = await db.query<ReplayRow>(listStatement, [before, limit + 1]);
  return toPage(rows, { limit, toItem: toReplay, cursorAfter: ({ id }) => toIdCursor(id) });
}

const cancelStatement: Statement = {
  name: 'callbacks_replay_cancel',
  text: `update callbacks.replay set state = 'cancelled', updated_at = now()
    where id = $1 and state = 'running'`,
};

/**
 * Stops a replay. Callbacks that it has requeued stay in their queues. A replay that is done or
 * cancelled stays as it is.
 * @throws PlatformError `REPLAY_NOT_FOUND`
 */
export async function cancelReplay(db: Queryable, id: string): Promise<Replay> {
  await db.query(cancelStatement, [parseReplayId(id)]);
  return getReplay(db, id);
}

/**
 * Locks the replay whose turn it is. Of the applications with a replay that is due, that is the one
 * whose last step was longest ago, and of its replays the same: none waits while another, whose rate
 * is higher or whose filter matches little, makes step after step. Its allowance is the number of callbacks that the
 * rate permits for the time since the replay became due: at least 1, at most those of one second.
 * So a late housekeeping run catches up on one second, not on more. Index: `replay_running`.
 */
const pickStatement: Statement = {
  name: 'callbacks_replay_pick',
  text: `
with running as (
  select id, max(updated_at) over (partition by ${applicationOf('p')}) as last_step
  from callbacks.replay p
  where state = 'running'
)
select p.*, least($1::int, p.rate_per_second,
  1 + floor(extract(epoch from now() - p.due_at) * p.rate_per_second))::int as allowance
from running
join callbacks.replay p on p.id = running.id
where p.state = 'running' and p.due_at <= now()
order by running.last_step, p.updated_at, p.id
limit 1
for no key update of p skip locked`,
};

/** Stores the progress of a step. The replay is due again when its rate permits more callbacks. */
const advanceStatement: Statement = {
  name: 'callbacks_replay_advance',
  text: `
update callbacks.replay
set position = coalesce($2, position), scanned = scanned + $3::int, replayed = replayed + $4::int,
    state = case when $5 then 'done' else state end, updated_at = now(),
    due_at = greatest(due_at, now() - interval '1 s')
      + $4::int * interval '1 s' / rate_per_second
where id = $1
returning *`,
};

/**
 * Makes one step of the replay whose turn it is: requeues up to `maxCallbacks`
 * callbacks and stores how far it got, in one transaction. After a crash the next step continues
 * from there. Workers that step at the same time work on different replays.
 * @returns the replay after the step; `undefined` when none is due
 */
export function stepReplay(db: Database, maxCallbacks: number): Promise<Replay | undefined> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<ReplayRow & { allowance: number }>(pickStatement, [
      maxCallbacks,
    ]);
    const [row] = rows;
    return row && step(tx, row, row.allowance);
  });
}

async function step(tx: Transaction, row: ReplayRow, maxMatches: number): Promise<Replay> {
  const { matches, scanned, last, finished } = await scanCallbacks(tx, {
    filter: toFilter(row.filter),
    order: 'oldest',
    after: row.position ?? undefined,
    // Ids begin with their time: callbacks accepted before the replay have lower ids than it.
    before: row.id,
    maxMatches,
    maxRows: maxRowsPerStep,
  });
  const outcomes = await requeueCallbacks(
    tx,
    matches.map(({ id }) => id),
  );
  const replayed = outcomes.filter(({ kind }) => kind === 'requeued').length;
  const values = [row.id, last ?? null, scanned, replayed, finished];
  return toReplay(await getRow(tx, advanceStatement, values));
}

async function getRow(
  db: Queryable,
  statement: Statement,
  values: readonly unknown[],
): Promise<ReplayRow> {
  const [row] = (await db.query<ReplayRow>(statement, values)).rows;
  if (row) return row;
  throw replayNotFound(String(values[0]));
}

function parseReplayId(id: string): string {
  const uuid = parseId(id);
  if (uuid === undefined) throw replayNotFound(id);
  return uuid;
}

function replayNotFound(id: string): PlatformError {
  return new PlatformError('REPLAY_NOT_FOUND', `there is no replay ${id}`);
}

function toReplay(row: ReplayRow): Replay {
  return {
    id: row.id,
    filter: toFilter(row.filter),
    ratePerSecond: row.rate_per_second,
    state: row.state,
    scanned: Number(row.scanned),
    replayed: Number(row.replayed),
    scannedUntil: row.position === null ? undefined : idTime(row.position),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function toFilter({ createdFrom, createdTo, ...rest }: StoredFilter): ReplayFilter {
  return {
    ...rest,
    ...(createdFrom === undefined ? {} : { createdFrom: new Date(createdFrom) }),
    ...(createdTo === undefined ? {} : { createdTo: new Date(createdTo) }),
  };
}

import {
  type Applications,
  newId,
  PlatformError,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import { type ApplicationFilter, listedApplications } from '../application-filter.js';
import { checkFilter } from '../lookup/callback-filter.js';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parseIdCursor,
  toIdCursor,
  toPage,
} from '../page.js';
import {
  applicationOf,
  type Replay,
  type ReplayableEnding,
  type ReplayFilter,
  type ReplayRow,
  toReplay,
} from './replay.js';

/** Options of a new replay. */
export interface ReplayOptions {
  /** Its `application` is the one that the replay belongs to; without one it belongs to all. */
  readonly filter: ReplayFilter;
  /** Applications whose callbacks the caller may send again. */
  readonly within: Applications;
  /** Highest rate, in callbacks per second, 1 to 10,000. Default 100. */
  readonly ratePerSecond?: number | undefined;
  /** Most running replays of the filter's application, and of those without one. Default 10. */
  readonly maxRunning?: number | undefined;
}

const maxRatePerSecond = 10_000;
const defaultRatePerSecond = 100;
const defaultMaxRunning = 10;
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
 * Creates a replay. Its work is done by `stepReplay`, which housekeeping calls.
 * @throws PlatformError `REQUEST_INVALID`, `REPLAY_LIMIT_REACHED`
 */
export async function createReplay(db: Database, options: ReplayOptions): Promise<Replay> {
  const { filter, within, ratePerSecond = defaultRatePerSecond } = options;
  const { maxRunning = defaultMaxRunning } = options;
  checkFilter(filter);
  checkOwner(filter, within);
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

function checkOwner({ application }: ReplayFilter, within: Applications): void {
  if (within === 'all' || (application !== undefined && within.includes(application))) return;
  throw new PlatformError('REQUEST_INVALID', 'application must be one of the caller');
}

const getStatement: Statement = {
  name: 'callbacks_replay_get',
  text: `select * from callbacks.replay r
    where id = $1 and ($2::text[] is null or ${applicationOf('r')} = any($2))`,
};

/** Returns a replay of these applications. @throws PlatformError `REPLAY_NOT_FOUND` */
export async function getReplay(db: Queryable, id: string, within: Applications): Promise<Replay> {
  const values = [parseReplayId(id), toApplicationColumn(within)];
  return toReplay(await getRow(db, getStatement, values));
}

const listStatement: Statement = {
  name: 'callbacks_replay_list',
  text: 'select * from callbacks.replay where id < $1 order by id desc limit $2',
};

/** Reads at most `$2` replays of each application. Index `replay_application`. */
const listOwnStatement: Statement = {
  name: 'callbacks_replay_list_own',
  text: `
select p.* from unnest($3::text[]) a(application)
cross join lateral (
  select * from callbacks.replay r where ${applicationOf('r')} = a.application and r.id < $1
  order by r.id desc limit $2
) p
order by p.id desc limit $2`,
};

/**
 * Lists replays, newest first. Those for all applications are in no list of single ones.
 * @throws PlatformError `REQUEST_INVALID`
 */
export async function listReplays(
  db: Queryable,
  filter: ApplicationFilter,
  page: PageRequest,
): Promise<Page<Replay>> {
  const limit = pageLimit(page);
  const before = page.cursor === undefined ? 'f'.repeat(32) : parseIdCursor(page.cursor);
  const applications = listedApplications(filter);
  const { rows } = applications
    ? await db.query<ReplayRow>(listOwnStatement, [before, limit + 1, applications])
    : await db.query<ReplayRow>(listStatement, [before, limit + 1]);
  return toPage(rows, { limit, toItem: toReplay, cursorAfter: ({ id }) => toIdCursor(id) });
}

const cancelStatement: Statement = {
  name: 'callbacks_replay_cancel',
  text: `update callbacks.replay r set state = 'cancelled', updated_at = now()
    where id = $1 and state = 'running' and ($2::text[] is null or ${applicationOf('r')} = any($2))`,
};

/**
 * Stops a replay. Callbacks that it has requeued stay in their queues. A replay that is done or
 * cancelled stays as it is.
 * @throws PlatformError `REPLAY_NOT_FOUND`
 */
export async function cancelReplay(
  db: Queryable,
  id: string,
  within: Applications,
): Promise<Replay> {
  await db.query(cancelStatement, [parseReplayId(id), toApplicationColumn(within)]);
  return getReplay(db, id, within);
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

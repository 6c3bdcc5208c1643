import { idTime, newId, PlatformError, parseId } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';
import type { Ending } from '../delivery/delivery.js';
import { type CallbackFilter, checkFilter, scanCallbacks } from '../lookup/callback-scan.js';
import { type Page, type PageRequest, pageLimit, parseIdCursor, toIdCursor } from '../page.js';
import { requeueCallbacks } from './requeue-store.js';

/** Endings that can be replayed: an expired callback would only expire again. */
export type ReplayableEnding = Exclude<Ending, 'expired'>;

/** Which callbacks are replayed: those that had ended this way when they were come across. */
export interface ReplayFilter extends Omit<CallbackFilter, 'state'> {
  readonly state: ReplayableEnding;
}

export interface ReplayOptions {
  readonly filter: ReplayFilter;
  /** Callbacks a second at most, 1 to 10,000. Default 100. */
  readonly ratePerSecond?: number | undefined;
}

/**
 * Delivers many callbacks once more, oldest first, and so in the order of their queues. Only those
 * accepted before the replay was made are part of it, each once.
 */
export interface Replay {
  readonly id: string;
  readonly filter: ReplayFilter;
  readonly ratePerSecond: number;
  readonly state: 'running' | 'done' | 'cancelled';
  /** Callbacks looked at, whether they fit the filter or not. */
  readonly scanned: number;
  readonly replayed: number;
  /** Everything accepted until then was looked at; absent before the first step. */
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

/** A filter as JSON: moments are text. */
type StoredFilter = Omit<ReplayFilter, 'createdFrom' | 'createdTo'> & {
  readonly createdFrom?: string;
  readonly createdTo?: string;
};

const maxRatePerSecond = 10_000;
const defaultRatePerSecond = 100;
/** Rows that one step looks at: it holds locks on what it replays until its end. */
const maxRowsPerStep = 2_000;
const replayableEndings: ReadonlySet<string> = new Set<ReplayableEnding>([
  'delivered',
  'failed',
  'cancelled',
]);

const createStatement: Statement = {
  name: 'callbacks_replay_create',
  text: `insert into callbacks.replay (id, filter, rate_per_second) values ($1, $2, $3) returning *`,
};

/** Starts a replay; housekeeping makes its steps. @throws PlatformError `REQUEST_INVALID` */
export async function createReplay(db: Queryable, options: ReplayOptions): Promise<Replay> {
  const { filter, ratePerSecond = defaultRatePerSecond } = options;
  checkFilter(filter);
  if (!replayableEndings.has(filter.state)) {
    throw new PlatformError('REQUEST_INVALID', 'state must be delivered, failed or cancelled');
  }
  if (
    !(Number.isInteger(ratePerSecond) && ratePerSecond >= 1 && ratePerSecond <= maxRatePerSecond)
  ) {
    throw new PlatformError('REQUEST_INVALID', `ratePerSecond must be 1 to ${maxRatePerSecond}`);
  }
  const values = [newId(), JSON.stringify(filter), ratePerSecond];
  return toReplay(await getRow(db, createStatement, values));
}

const getStatement: Statement = {
  name: 'callbacks_replay_get',
  text: 'select * from callbacks.replay where id = $1',
};

/** @throws PlatformError `REPLAY_NOT_FOUND` */
export async function getReplay(db: Queryable, id: string): Promise<Replay> {
  return toReplay(await getRow(db, getStatement, [parseReplayId(id)]));
}

const listStatement: Statement = {
  name: 'callbacks_replay_list',
  text: 'select * from callbacks.replay where id < $1 order by id desc limit $2',
};

/** Newest first. @throws PlatformError `REQUEST_INVALID` */
export async function listReplays(db: Queryable, page: PageRequest): Promise<Page<Replay>> {
  const limit = pageLimit(page);
  const before = page.cursor === undefined ? 'f'.repeat(32) : parseIdCursor(page.cursor);
  const { rows } = await db.query<ReplayRow>(listStatement, [before, limit + 1]);
  const items = rows.slice(0, limit).map(toReplay);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, next: last && toIdCursor(last.id) };
}

const cancelStatement: Statement = {
  name: 'callbacks_replay_cancel',
  text: `update callbacks.replay set state = 'cancelled', updated_at = now()
    where id = $1 and state = 'running'`,
};

/**
 * Stops a replay; what it made live again stays so. One that is over stays as it is.
 * @throws PlatformError `REPLAY_NOT_FOUND`
 */
export async function cancelReplay(db: Queryable, id: string): Promise<Replay> {
  await db.query(cancelStatement, [parseReplayId(id)]);
  return getReplay(db, id);
}

/**
 * The allowance is what the rate gives for the time since the replay was last due, at least one,
 * and one second's worth at most: what housekeeping missed is made up for that long. Index:
 * `replay_running`.
 */
const pickStatement: Statement = {
  name: 'callbacks_replay_pick',
  text: `
select *, least($1::int, rate_per_second,
  1 + floor(extract(epoch from now() - due_at) * rate_per_second))::int as allowance
from callbacks.replay
where state = 'running' and due_at <= now()
order by due_at limit 1
for no key update skip locked`,
};

/** Due again when what was replayed is paid for by the rate. */
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
 * Makes one step of the replay that is due the longest: brings up to `maxCallbacks` to life and
 * notes how far it got, in one transaction. After a crash the next step goes on from there; workers
 * that step at the same time take different replays.
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
  const { matches, scanned, last, finished } = await scanCallbacks(
    tx,
    toFilter(row.filter),
    // Ids carry their time: below the replay's own is what was accepted before it.
    { order: 'oldest', after: row.position ?? undefined, before: row.id },
    { maxMatches, maxRows: maxRowsPerStep },
  );
  const outcomes = await requeueCallbacks(
    tx,
    matches.map(({ id }) => id),
  );
  const replayed = outcomes.filter(({ kind }) => kind === 'revived').length;
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
  throw new PlatformError('REPLAY_NOT_FOUND', `no replay ${String(values[0])}`);
}

function parseReplayId(id: string): string {
  const uuid = parseId(id);
  if (uuid !== undefined) return uuid;
  throw new PlatformError('REPLAY_NOT_FOUND', `no replay ${id}`);
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

import { newId, PlatformError, parseId } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { DeadLetterFilter } from './dead-letters.js';

/** Replay to create. */
export interface NewDeadLetterReplay {
  /** Topic that the dead letters came from. */
  readonly topic: string;
  /** Default: all dead letters of the topic. */
  readonly filter?: DeadLetterFilter | undefined;
  /** Dead letters published per second at most, 1 or more. Default 100. */
  readonly ratePerSecond?: number | undefined;
  /** True: only count what would be replayed. Default false. */
  readonly dryRun?: boolean | undefined;
  /** True: also replay dead letters that were replayed before. Default false. */
  readonly again?: boolean | undefined;
}

/**
 * Replay of dead letters: publishes them to the topic that they came from, in their order. Only
 * dead letters that existed when the replay was created are part of it.
 */
export interface DeadLetterReplay {
  readonly id: string;
  readonly topic: string;
  readonly filter: DeadLetterFilter;
  readonly ratePerSecond: number;
  readonly dryRun: boolean;
  readonly again: boolean;
  readonly state: 'running' | 'done' | 'cancelled' | 'failed';
  /** Message of the error, in the state `failed`. */
  readonly error: string | null;
  /** Dead letters so far that match the filter. */
  readonly matched: number;
  readonly replayed: number;
  /** Matching dead letters that were replayed before, or whose headers do not name the topic. */
  readonly skipped: number;
  /** Moment up to which dead letters have been read; `undefined` before the first that matches. */
  readonly readUntil: Date | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

interface ReplayRow {
  readonly id: string;
  readonly topic: string;
  readonly filter: DeadLetterFilter;
  readonly rate_per_second: number;
  readonly dry_run: boolean;
  readonly again: boolean;
  readonly state: DeadLetterReplay['state'];
  readonly error: string | null;
  readonly position: string | null;
  readonly matched: bigint;
  readonly replayed: bigint;
  readonly skipped: bigint;
  readonly read_until: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const insertStatement: Statement = {
  name: 'event_log_replay_insert',
  text: `
insert into event_log.dead_letter_replay (id, topic, filter, rate_per_second, dry_run, again)
values ($1, $2, $3, $4, $5, $6) returning *`,
};

/**
 * Inserts a replay. The only place that knows the defaults.
 * @throws PlatformError `OPTION_INVALID` for a rate that is not a whole number of 1 or more
 */
export async function insertReplay(
  db: Queryable,
  { topic, filter = {}, ratePerSecond = 100, dryRun = false, again = false }: NewDeadLetterReplay,
): Promise<DeadLetterReplay> {
  if (!Number.isInteger(ratePerSecond) || ratePerSecond < 1) {
    const message = `ratePerSecond must be a whole number of 1 or more, and is ${ratePerSecond}`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  const values = [newId(), topic, JSON.stringify(filter), ratePerSecond, dryRun, again];
  const { rows } = await db.query<ReplayRow>(insertStatement, values);
  return toReplay(getOnlyRow(rows));
}

const getStatement: Statement = {
  name: 'event_log_replay_get',
  text: 'select * from event_log.dead_letter_replay where id = $1',
};

/** Returns a replay. @throws PlatformError `REPLAY_NOT_FOUND` */
export async function getReplay(db: Queryable, id: string): Promise<DeadLetterReplay> {
  const { rows } = await db.query<ReplayRow>(getStatement, [parseReplayId(id)]);
  return toReplay(getOnlyRow(rows, id));
}

const listStatement: Statement = {
  name: 'event_log_replay_list',
  text: `
select * from event_log.dead_letter_replay
where $1::uuid is null or id < $1 order by id desc limit $2`,
};

/** Query of one page of replays. */
export interface ReplayQuery {
  /** Last id of the page before. Default: the newest. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Returns replays, the newest first. Index: `dead_letter_replay_pkey`. */
export async function listReplays(
  db: Queryable,
  { before, limit }: ReplayQuery,
): Promise<DeadLetterReplay[]> {
  const { rows } = await db.query<ReplayRow>(listStatement, [before ?? null, limit]);
  return rows.map(toReplay);
}

const endStatement: Statement = {
  name: 'event_log_replay_end',
  text: `
update event_log.dead_letter_replay set state = $2, error = $3, updated_at = now()
where id = $1 and state = 'running'`,
};

/** Reason for which a replay ends early. */
export type EarlyEnd =
  | { readonly state: 'cancelled' }
  | { readonly state: 'failed'; readonly error: string };

/**
 * Ends a replay early. One that has ended stays as it is.
 * @throws PlatformError `REPLAY_NOT_FOUND` for text that is not an id
 */
export async function endReplay(db: Queryable, id: string, end: EarlyEnd): Promise<void> {
  const error = end.state === 'failed' ? end.error : null;
  await db.query(endStatement, [parseReplayId(id), end.state, error]);
}

/** Replay whose next step is due. */
export interface DueReplay extends DeadLetterReplay {
  /** Cursor of the next step; `undefined` for the first. */
  readonly position: string | undefined;
  /** Dead letters that the rate allows now, 1 or more. */
  readonly allowance: number;
}

/**
 * The allowance is what the rate gives for the time since the replay became due: at least one dead
 * letter, at most those of one second. Index: `dead_letter_replay_running`.
 */
const dueStatement: Statement = {
  name: 'event_log_replay_due',
  text: `
select *, least(rate_per_second,
  1 + floor(extract(epoch from now() - due_at) * rate_per_second))::integer as allowance
from event_log.dead_letter_replay
where state = 'running' and due_at <= now()
order by due_at limit 1`,
};

/** Returns the replay that has been due longest. */
export async function findDueReplay(db: Queryable): Promise<DueReplay | undefined> {
  const { rows } = await db.query<ReplayRow & { allowance: number }>(dueStatement);
  const [row] = rows;
  if (!row) return undefined;
  return { ...toReplay(row), position: row.position ?? undefined, allowance: row.allowance };
}

const lockStatement: Statement = {
  name: 'event_log_replay_lock',
  text: `
select from event_log.dead_letter_replay
where id = $1 and state = 'running' and position is not distinct from $2
for no key update`,
};

/**
 * Locks a replay for one step. Returns false if another process has made the step, or if the replay
 * has ended.
 */
export async function lockReplayStep(
  tx: Queryable,
  { id, position }: Pick<DueReplay, 'id' | 'position'>,
): Promise<boolean> {
  return (await tx.query(lockStatement, [id, position ?? null])).rowCount === 1;
}

/** Progress that one step has made. */
export interface ReplayStep {
  readonly position: string;
  readonly isLast: boolean;
  readonly matched: number;
  readonly replayed: number;
  readonly skipped: number;
  readonly readUntil: Date | undefined;
}

/** The next step is due when the rate allows more dead letters than this step has replayed. */
const advanceStatement: Statement = {
  name: 'event_log_replay_advance',
  text: `
update event_log.dead_letter_replay set position = $2,
  state = case when $3::boolean then 'done' else state end,
  matched = matched + $4::integer, replayed = replayed + $5::integer,
  skipped = skipped + $6::integer, read_until = coalesce($7, read_until), updated_at = now(),
  due_at = now() + $5::integer * interval '1 second' / rate_per_second
where id = $1`,
};

/** Stores the progress of a step. */
export async function advanceReplay(tx: Queryable, id: string, step: ReplayStep): Promise<void> {
  const { position, isLast, matched, replayed, skipped, readUntil } = step;
  const values = [id, position, isLast, matched, replayed, skipped, readUntil ?? null];
  await tx.query(advanceStatement, values);
}

/** @throws PlatformError `REPLAY_NOT_FOUND` for text that is not an id */
function parseReplayId(id: string): string {
  return parseId(id) ?? throwNotFound(id);
}

function getOnlyRow(rows: readonly ReplayRow[], id = ''): ReplayRow {
  return rows[0] ?? throwNotFound(id);
}

function throwNotFound(id: string): never {
  throw new PlatformError('REPLAY_NOT_FOUND', `there is no replay ${id}`);
}

function toReplay(row: ReplayRow): DeadLetterReplay {
  const { id, topic, filter, again, state, error } = row;
  return {
    id,
    topic,
    filter,
    ratePerSecond: row.rate_per_second,
    dryRun: row.dry_run,
    again,
    state,
    error,
    matched: Number(row.matched),
    replayed: Number(row.replayed),
    skipped: Number(row.skipped),
    readUntil: row.read_until ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

import {
  type Applications,
  newId,
  PlatformError,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import type { DeadLetterFilter } from './dead-letters.js';

/** Replay to create. */
export interface NewDeadLetterReplay {
  /** Topic that the dead letters came from. */
  readonly topic: string;
  /** Application whose dead letters are replayed. */
  readonly application: string;
  /**
   * True: also those without an application, in a topic that belongs to none. Only for callers for
   * all applications. Default false.
   */
  readonly withUnnamed?: boolean | undefined;
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
  /** Application whose dead letters are replayed; null for all, in replays of the version before. */
  readonly application: string | null;
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

/** Row of a replay. */
export interface ReplayRow {
  readonly id: string;
  readonly topic: string;
  readonly application: string | null;
  readonly with_unnamed: boolean;
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

/** Lets one process at a time count the running replays and insert another. */
const insertLockStatement: Statement = {
  name: 'event_log_replay_insert_lock',
  text: `select pg_advisory_xact_lock(hashtext('event_log.dead_letter_replay insert'))`,
};

/**
 * Moment by which processes of the version before find due replays: they know no applications, and
 * must not find those of this version. These are due by `turn_at`.
 */
const never = '9999-01-01T00:00:00Z';

/** Inserts a replay, unless its application has `$9` that run. */
const insertStatement: Statement = {
  name: 'event_log_replay_insert',
  text: `
insert into event_log.dead_letter_replay (id, topic, filter, rate_per_second, dry_run, again,
  application, with_unnamed, due_at, turn_at)
select $1, $2, $3, $4, $5, $6, $7, $8, '${never}', now()
where (
  select count(*) from event_log.dead_letter_replay r
  where r.state = 'running' and r.application = $7
) < $9
returning *`,
};

const defaultMaxRunning = 10;

/**
 * Inserts a replay. The only place that knows the defaults.
 * @param maxRunning most running replays of the application. Default 10
 * @throws PlatformError `OPTION_INVALID` for a rate that is not a whole number of 1 or more;
 *   `REPLAY_LIMIT_REACHED`
 */
export async function insertReplay(
  db: Database,
  { topic, application, filter = {}, ...options }: NewDeadLetterReplay,
  maxRunning: number = defaultMaxRunning,
): Promise<DeadLetterReplay> {
  const { ratePerSecond = 100, dryRun = false, again = false } = options;
  const { withUnnamed = false } = options;
  if (!Number.isInteger(ratePerSecond) || ratePerSecond < 1) {
    const message = `ratePerSecond must be a whole number of 1 or more, and is ${ratePerSecond}`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  const values = [newId(), topic, JSON.stringify(filter), ratePerSecond, dryRun, again];
  const [row] = await db.transaction(async (tx) => {
    await tx.query(insertLockStatement);
    const owned = [application, withUnnamed, maxRunning];
    return (await tx.query<ReplayRow>(insertStatement, [...values, ...owned])).rows;
  });
  if (row) return toReplay(row);
  const message = `application '${application}': ${maxRunning} replays of dead letters run, and the limit (POSTHASTE_MAX_REPLAYS) is ${maxRunning}`;
  throw new PlatformError('REPLAY_LIMIT_REACHED', message);
}

const getStatement: Statement = {
  name: 'event_log_replay_get',
  text: `
select * from event_log.dead_letter_replay
where id = $1 and ($2::text[] is null or application = any($2))`,
};

/** A replay that somebody names. */
export interface NamedReplay {
  readonly id: string;
  /** Applications that the caller may see. A replay of another is not found. */
  readonly within: Applications;
}

/** Returns a replay. @throws PlatformError `REPLAY_NOT_FOUND` */
export async function getReplay(
  db: Queryable,
  { id, within }: NamedReplay,
): Promise<DeadLetterReplay> {
  const values = [parseReplayId(id), toApplicationColumn(within)];
  const { rows } = await db.query<ReplayRow>(getStatement, values);
  return toReplay(getOnlyRow(rows, id));
}

const listStatement: Statement = {
  name: 'event_log_replay_list',
  text: `
select * from event_log.dead_letter_replay
where ($1::uuid is null or id < $1) and ($3::text[] is null or application = any($3))
order by id desc limit $2`,
};

/** Query of one page of replays. */
export interface ReplayQuery {
  /** Applications whose replays are listed. */
  readonly within: Applications;
  /** Last id of the page before. Default: the newest. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Returns replays, the newest first. Index: `dead_letter_replay_pkey`. */
export async function listReplays(
  db: Queryable,
  { within, before, limit }: ReplayQuery,
): Promise<DeadLetterReplay[]> {
  const values = [before ?? null, limit, toApplicationColumn(within)];
  const { rows } = await db.query<ReplayRow>(listStatement, values);
  return rows.map(toReplay);
}

const endStatement: Statement = {
  name: 'event_log_replay_end',
  text: `
update event_log.dead_letter_replay set state = $2, error = $3, updated_at = now()
where id = $1 and state = 'running' and ($4::text[] is null or application = any($4))`,
};

/** Reason for which a replay ends early. */
export type EarlyEnd =
  | { readonly state: 'cancelled' }
  | { readonly state: 'failed'; readonly error: string };

/**
 * Ends a replay early. One that has ended stays as it is.
 * @throws PlatformError `REPLAY_NOT_FOUND` for text that is not an id
 */
export async function endReplay(
  db: Queryable,
  { id, within }: NamedReplay,
  end: EarlyEnd,
): Promise<void> {
  const error = end.state === 'failed' ? end.error : null;
  await db.query(endStatement, [parseReplayId(id), end.state, error, toApplicationColumn(within)]);
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

/** Converts the row of a replay. */
export function toReplay(row: ReplayRow): DeadLetterReplay {
  const { id, topic, application, filter, again, state, error } = row;
  return {
    id,
    topic,
    application,
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

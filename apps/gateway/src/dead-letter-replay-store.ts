import { newId, PlatformError, parseId } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { EventFilter } from './event-filter.js';

/** Which dead letters are replayed. The moments are those of the dead letters. */
export interface DeadLetterFilter extends EventFilter {
  /** The consumer group that failed on them. */
  readonly group?: string;
}

export interface NewDeadLetterReplay {
  /** The topic that the dead letters came from. */
  readonly topic: string;
  readonly filter: DeadLetterFilter;
  readonly ratePerSecond: number;
  /** Only counts what would be replayed. */
  readonly dryRun: boolean;
  /** Also those that were replayed before. */
  readonly again: boolean;
}

/**
 * Publishes dead letters to the topic they came from, in their order. Only those that were there
 * when it was made are part of it.
 */
export interface DeadLetterReplay extends NewDeadLetterReplay {
  readonly id: string;
  readonly state: 'running' | 'done' | 'cancelled' | 'failed';
  /** What it failed with. */
  readonly error: string | null;
  /** Dead letters that fit the filter, so far. */
  readonly matched: number;
  readonly replayed: number;
  /** Of those that fit: replayed before, or they do not say that they came from the topic. */
  readonly skipped: number;
  /** What was put there until then was looked at; `undefined` before the first that fits. */
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

const createStatement: Statement = {
  name: 'gateway_replay_create',
  text: `
insert into gateway.dead_letter_replay (id, topic, filter, rate_per_second, dry_run, again)
values ($1, $2, $3, $4, $5, $6) returning *`,
};

export async function insertReplay(
  db: Queryable,
  { topic, filter, ratePerSecond, dryRun, again }: NewDeadLetterReplay,
): Promise<DeadLetterReplay> {
  const values = [newId(), topic, JSON.stringify(filter), ratePerSecond, dryRun, again];
  const { rows } = await db.query<ReplayRow>(createStatement, values);
  return toReplay(firstOf(rows));
}

const getStatement: Statement = {
  name: 'gateway_replay_get',
  text: 'select * from gateway.dead_letter_replay where id = $1',
};

/** @throws PlatformError `REPLAY_NOT_FOUND` */
export async function getReplay(db: Queryable, id: string): Promise<DeadLetterReplay> {
  const { rows } = await db.query<ReplayRow>(getStatement, [parseReplayId(id)]);
  return toReplay(firstOf(rows, id));
}

const listStatement: Statement = {
  name: 'gateway_replay_list',
  text: `
select * from gateway.dead_letter_replay
where $1::uuid is null or id < $1 order by id desc limit $2`,
};

/** Newest first; `before` is the last id of the page before. By primary key. */
export async function listReplays(
  db: Queryable,
  { before, limit }: { readonly before: string | undefined; readonly limit: number },
): Promise<DeadLetterReplay[]> {
  const { rows } = await db.query<ReplayRow>(listStatement, [before ?? null, limit]);
  return rows.map(toReplay);
}

const endStatement: Statement = {
  name: 'gateway_replay_end',
  text: `
update gateway.dead_letter_replay set state = $2, error = $3, updated_at = now()
where id = $1 and state = 'running'`,
};

/** Ends a replay before its end. One that is over stays as it is. */
export async function endReplay(
  db: Queryable,
  id: string,
  how: { readonly state: 'cancelled' } | { readonly state: 'failed'; readonly error: string },
): Promise<void> {
  const error = how.state === 'failed' ? how.error : null;
  await db.query(endStatement, [parseReplayId(id), how.state, error]);
}

/** The next step of a replay. */
export interface DueReplay extends DeadLetterReplay {
  /** Where it goes on. */
  readonly position: string | undefined;
  /** Dead letters that its rate allows now, 1 or more. */
  readonly allowance: number;
}

/**
 * The allowance is what the rate gives for the time since the replay was last due, at least one,
 * and one second's worth at most. Index: `dead_letter_replay_running`.
 */
const dueStatement: Statement = {
  name: 'gateway_replay_due',
  text: `
select *, least(rate_per_second,
  1 + floor(extract(epoch from now() - due_at) * rate_per_second))::integer as allowance
from gateway.dead_letter_replay
where state = 'running' and due_at <= now()
order by due_at limit 1`,
};

export async function findDueReplay(db: Queryable): Promise<DueReplay | undefined> {
  const { rows } = await db.query<ReplayRow & { allowance: number }>(dueStatement);
  const [row] = rows;
  if (!row) return undefined;
  return { ...toReplay(row), position: row.position ?? undefined, allowance: row.allowance };
}

const lockStatement: Statement = {
  name: 'gateway_replay_lock',
  text: `
select from gateway.dead_letter_replay
where id = $1 and state = 'running' and position is not distinct from $2
for no key update`,
};

/** Takes the step for this transaction; false when another process has made it, or it was ended. */
export async function lockStep(
  tx: Queryable,
  { id, position }: Pick<DueReplay, 'id' | 'position'>,
): Promise<boolean> {
  return (await tx.query(lockStatement, [id, position ?? null])).rowCount === 1;
}

/** What a step has done. */
export interface ReplayStep {
  readonly position: string;
  readonly isLast: boolean;
  readonly matched: number;
  readonly replayed: number;
  readonly skipped: number;
  readonly readUntil: Date | undefined;
}

/** Due again when what was replayed is paid for by the rate. */
const advanceStatement: Statement = {
  name: 'gateway_replay_advance',
  text: `
update gateway.dead_letter_replay set position = $2,
  state = case when $3::boolean then 'done' else state end,
  matched = matched + $4::integer, replayed = replayed + $5::integer,
  skipped = skipped + $6::integer, read_until = coalesce($7, read_until), updated_at = now(),
  due_at = now() + $5::integer * interval '1 second' / rate_per_second
where id = $1`,
};

export async function advanceReplay(tx: Queryable, id: string, step: ReplayStep): Promise<void> {
  const { position, isLast, matched, replayed, skipped, readUntil } = step;
  const values = [id, position, isLast, matched, replayed, skipped, readUntil ?? null];
  await tx.query(advanceStatement, values);
}

/** @throws PlatformError `REPLAY_NOT_FOUND` for what is no id */
function parseReplayId(id: string): string {
  return parseId(id) ?? notFound(id);
}

function firstOf(rows: readonly ReplayRow[], id = ''): ReplayRow {
  return rows[0] ?? notFound(id);
}

function notFound(id: string): never {
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

import type { Queryable, Statement } from '@posthaste/postgres';
import { type DeadLetterReplay, type ReplayRow, toReplay } from './dead-letter-replay-store.js';

/** Replay whose next step is due. */
export interface DueReplay extends DeadLetterReplay {
  /** Cursor of the next step; `undefined` for the first. */
  readonly position: string | undefined;
  readonly withUnnamed: boolean;
  /** Dead letters that the rate allows now, 1 or more. */
  readonly allowance: number;
}

/**
 * Of the applications with a replay that is due, the one whose last step was longest ago, and of its
 * replays the same: none waits while others make step after step. The allowance is what the rate
 * gives for the time since the replay became due: at least one dead letter, at most those of one
 * second. Index: `dead_letter_replay_running`; few replays run.
 */
const dueStatement: Statement = {
  name: 'event_log_replay_due',
  text: `
with running as (
  select id, coalesce(turn_at, due_at) as due, updated_at,
    max(updated_at) over (partition by application) as last_step
  from event_log.dead_letter_replay
  where state = 'running'
)
select p.*, least(p.rate_per_second,
  1 + floor(extract(epoch from now() - running.due) * p.rate_per_second))::integer as allowance
from running join event_log.dead_letter_replay p on p.id = running.id
where running.due <= now()
order by running.last_step, running.updated_at, running.id limit 1`,
};

/** Returns the replay whose turn it is. */
export async function findDueReplay(db: Queryable): Promise<DueReplay | undefined> {
  const { rows } = await db.query<ReplayRow & { allowance: number }>(dueStatement);
  const [row] = rows;
  if (!row) return undefined;
  const { allowance, with_unnamed: withUnnamed } = row;
  return { ...toReplay(row), position: row.position ?? undefined, allowance, withUnnamed };
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
  due_at = case when turn_at is null
    then now() + $5::integer * interval '1 second' / rate_per_second else due_at end,
  turn_at = case when turn_at is not null
    then now() + $5::integer * interval '1 second' / rate_per_second end
where id = $1`,
};

/** Stores the progress of a step. */
export async function advanceReplay(tx: Queryable, id: string, step: ReplayStep): Promise<void> {
  const { position, isLast, matched, replayed, skipped, readUntil } = step;
  const values = [id, position, isLast, matched, replayed, skipped, readUntil ?? null];
  await tx.query(advanceStatement, values);
}

import { PlatformError } from '@posthaste/contracts';
import type { Database, Statement, Transaction } from '@posthaste/postgres';
import { scanCallbacks } from '../lookup/callback-scan.js';
import { applicationOf, type Replay, type ReplayRow, toFilter, toReplay } from './replay.js';
import { requeueCallbacks } from './requeue-store.js';

/** Most rows that one step scans. A step holds the locks of what it replays until it ends. */
const maxRowsPerStep = 2_000;

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
  const filter = toFilter(row.filter);
  const { matches, scanned, last, finished } = await scanCallbacks(tx, {
    filter,
    // What it scans is shown, so that one of an application scans nothing of others.
    within: filter.application === undefined ? 'all' : [filter.application],
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
  const [advanced] = (await tx.query<ReplayRow>(advanceStatement, values)).rows;
  if (advanced) return toReplay(advanced);
  throw new PlatformError('INTERNAL', `replay ${row.id} is gone although its row is locked`);
}

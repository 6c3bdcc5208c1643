import type { ErasingProgress, ErasingStep } from '@posthaste/contracts';
import type { Statement, Transaction } from '@posthaste/postgres';

/** Claims have no index by application: a page of all is read, in the order of the primary key. */
const claimsStatement: Statement = {
  name: 'event_log_removal_claims',
  text: `
with page as (
  select kind, topic, claim, application from event_log.event_claim
  where (kind, topic, claim) > ($2, $3, $4)
  order by kind, topic, claim limit $5
),
removed as (
  delete from event_log.event_claim e using page p
  where e.kind = p.kind and e.topic = p.topic and e.claim = p.claim and p.application = $1
  returning 1
)
select (select count(*)::int from page) as scanned, (select count(*)::int from removed) as erased,
  (select array[kind, topic, claim] from page order by kind desc, topic desc, claim desc limit 1) as last`,
};

/** Claims that a step may read for each row of its limit. */
const claimsPerRow = 10;

interface ClaimsRow {
  readonly scanned: number;
  readonly erased: number;
  readonly last: string[] | null;
}

/** Removes an application's Idempotency-Keys of events and claims of their ids: one step. */
export async function removeClaims(
  tx: Transaction,
  application: string,
  { position, limit }: ErasingStep,
): Promise<ErasingProgress> {
  const after = position === undefined ? ['', '', ''] : (JSON.parse(position) as string[]);
  const count = limit * claimsPerRow;
  const { rows } = await tx.query<ClaimsRow>(claimsStatement, [application, ...after, count]);
  const { scanned = 0, erased = 0, last = null } = rows[0] ?? {};
  return {
    position: last === null ? position : JSON.stringify(last),
    done: scanned < count,
    scanned,
    erased,
  };
}

const replaysStatement: Statement = {
  name: 'event_log_removal_replays',
  text: `delete from event_log.dead_letter_replay where id in (
    select id from event_log.dead_letter_replay where application = $1 limit $2)`,
};

const topicsStatement: Statement = {
  name: 'event_log_removal_topics',
  text: 'delete from eventstream.topic_application where application = $1',
};

/** Removes an application's replays of dead letters, and the note of the topics that it has: one step. */
export async function removeReplays(
  tx: Transaction,
  application: string,
  { limit }: ErasingStep,
): Promise<ErasingProgress> {
  await tx.query(topicsStatement, [application]);
  const { rowCount } = await tx.query(replaysStatement, [application, limit]);
  return { position: undefined, done: rowCount < limit, scanned: rowCount, erased: rowCount };
}

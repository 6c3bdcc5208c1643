import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';

/** One event for one group. */
export interface InboxEntry {
  readonly groupId: string;
  /** The id in the envelope, which stays the same however often the event comes. */
  readonly eventId: string;
}

const claimStatement: Statement = {
  name: 'inbox_claim',
  text: `insert into inbox.handled (group_id, event_id) values ($1, $2) on conflict do nothing`,
};

/**
 * Notes in the caller's transaction that the group handles the event. When another transaction is
 * handling the same event, this waits for its end. Index: `handled_pkey`.
 * @returns false when the group has handled the event before: do nothing
 * @throws PlatformError `DATABASE_*`
 */
export async function claimEvent(
  tx: Queryable,
  { groupId, eventId }: InboxEntry,
): Promise<boolean> {
  const { rowCount } = await tx.query(claimStatement, [groupId, eventId]);
  return rowCount === 1;
}

/**
 * Runs `work` once per event and group: in a transaction with the note that it was done, so that
 * both are stored or neither is. An event that comes again is passed over. When the answer to the
 * commit is lost (`DATABASE_OUTCOME_UNKNOWN`), letting the event come again is right.
 * @returns whether `work` ran
 * @throws PlatformError `DATABASE_*`, and whatever `work` throws: then the event counts as not handled
 */
export function handleOnce(
  db: Database,
  entry: InboxEntry,
  work: (tx: Transaction) => Promise<unknown>,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const isFirst = await claimEvent(tx, entry);
    if (isFirst) await work(tx);
    return isFirst;
  });
}

export interface InboxRetention {
  /**
   * Events handled longer ago are forgotten, in hours; over 0. One that comes again after that is
   * handled again: keep them for longer than the stream keeps its records.
   */
  readonly retentionHours: number;
  /** Events that one call forgets. Default 5,000. */
  readonly maxRows?: number | undefined;
}

/**
 * Forgets old events, the oldest first, and gives their number: fewer than `maxRows` means that
 * nothing older is left. Index: `handled_handled_at`.
 * @throws PlatformError `OPTION_INVALID`, `DATABASE_*`
 */
export async function forgetHandled(
  db: Queryable,
  { retentionHours, maxRows = 5_000 }: InboxRetention,
): Promise<number> {
  if (!(retentionHours > 0 && Number.isFinite(retentionHours))) {
    throw new PlatformError('OPTION_INVALID', `inbox retention of ${retentionHours} hours`);
  }
  const { rowCount } = await db.query(
    `with old as (
       select group_id, event_id from inbox.handled
       where handled_at < now() - $1::float8 * interval '1 hour'
       order by handled_at limit $2
       for update skip locked
     )
     delete from inbox.handled h using old
     where h.group_id = old.group_id and h.event_id = old.event_id`,
    [retentionHours, maxRows],
  );
  return rowCount;
}

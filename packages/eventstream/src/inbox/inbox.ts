import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';

/** An event for a group. */
export interface InboxEntry {
  readonly groupId: string;
  /** Id in the envelope, which is the same however often the event is delivered. */
  readonly eventId: string;
}

const claimStatement: Statement = {
  name: 'inbox_claim',
  text: `insert into inbox.handled (group_id, event_id) values ($1, $2) on conflict do nothing`,
};

/**
 * Stores, in the caller's transaction, that the group handles the event. Waits for another
 * transaction that is handling the same event. Index: `handled_pkey`.
 * @returns false when the group has handled the event before: then do nothing
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
 * Runs `work` once per event and group. The same transaction stores that it was done, so either
 * both are stored or neither is. An event that is delivered again is skipped. When the answer to
 * the commit is lost (`DATABASE_OUTCOME_UNKNOWN`), let the event be delivered again.
 * @returns true if `work` ran
 * @throws PlatformError `DATABASE_*`, and any error of `work`: then the event counts as not handled
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

/** Age of inbox entries to delete. */
export interface InboxRetention {
  /**
   * Age from which entries are deleted, in hours; over 0. An event that is delivered again after
   * that is handled again: keep entries longer than the stream keeps its records.
   */
  readonly retentionHours: number;
  /** Most entries that one call deletes. Default 5,000. */
  readonly maxRows?: number | undefined;
}

/**
 * Deletes old entries, the oldest first, and returns their number. Fewer than `maxRows` means that
 * no old entry is left. Index: `handled_handled_at`.
 * @throws PlatformError `OPTION_INVALID`, `DATABASE_*`
 */
export async function forgetHandled(
  db: Queryable,
  { retentionHours, maxRows = 5_000 }: InboxRetention,
): Promise<number> {
  if (!(retentionHours > 0 && Number.isFinite(retentionHours))) {
    throw new PlatformError(
      'OPTION_INVALID',
      `retentionHours is ${retentionHours}; set a number over 0`,
    );
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

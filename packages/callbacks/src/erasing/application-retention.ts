import { idLowerBound } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { lowestId } from '../lookup/id-bounds.js';
import { removeEnded } from './callback-removal.js';

/** Callbacks of an application that are past its own retention. */
export interface ApplicationRetention {
  readonly application: string;
  /** Age from which a callback that has ended is removed, in ms, counted from its acceptance. */
  readonly retentionMs: number;
  /** `next` of the call before. Default: the oldest. */
  readonly after?: string | undefined;
  /** Most callbacks that one call reads. Default 500. */
  readonly limit?: number | undefined;
}

/** Result of {@link dropExpiredOf}. */
export interface ApplicationRetentionOutcome {
  readonly removed: number;
  /** Start of the next call; `undefined` when none is left that is old enough. */
  readonly next: string | undefined;
}

/**
 * Removes callbacks of one application that are past its own, shorter retention: a slice of them, the
 * oldest first. Those that are alive are passed over. Index: `request_application`.
 */
export async function dropExpiredOf(
  db: Database,
  { application, retentionMs, after = lowestId, limit = 500 }: ApplicationRetention,
): Promise<ApplicationRetentionOutcome> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ now: Date }>('select now() as now');
    const moment = (rows[0]?.now.getTime() ?? 0) - retentionMs;
    if (moment <= 0) return { removed: 0, next: undefined };
    const before = idLowerBound(new Date(moment));
    const { removed, next } = await removeEnded(tx, { application, after, before, limit });
    return { removed, next };
  });
}

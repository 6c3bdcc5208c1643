import { PlatformError, withTimeout } from '@posthaste/contracts';
import type { Database, Queryable } from './database.js';

/** Longest time that `refuseUnsuitable` waits for the database, in ms. */
const firstAnswerMs = 2_000;

/**
 * Checks that the database accepts writes.
 * @throws PlatformError `DATABASE_READ_ONLY` if it is a standby, or was made read-only by a setting;
 *   otherwise `DATABASE_*`
 */
export async function requireWritable(db: Queryable): Promise<void> {
  const { rows } = await db.query<{ read_only: string }>(
    `select current_setting('transaction_read_only') as read_only`,
  );
  if (rows[0]?.read_only !== 'on') return;
  throw new PlatformError('DATABASE_READ_ONLY', 'the database accepts no writes: it is read-only');
}

/**
 * Refuses a database that no wait makes usable, for the start of a process that waits for all else. A
 * database that does not answer within 2 s, or is away, is not refused.
 * @throws PlatformError `DATABASE_UNSUITABLE`
 */
export async function refuseUnsuitable(db: Database): Promise<void> {
  try {
    await withTimeout(db.ping(), firstAnswerMs, () => undefined);
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === 'DATABASE_UNSUITABLE')) return;
    await db.close();
    throw error;
  }
}

import type { Queryable, Statement } from '@posthaste/postgres';

/** Application with a retention of its own. */
export interface RetentionOfApplication {
  readonly application: string;
  /** Time for which its finished callbacks are kept, in ms. */
  readonly retentionMs: number;
}

/** Index: `application_retention`. */
const listStatement: Statement = {
  name: 'access_application_retentions',
  text: `select name, retention_ms from gateway.application
    where retention_ms is not null and state = 'active' order by name limit $1`,
};

const maxApplications = 10_000;

/** Returns the applications that have a retention of their own, by name; 10,000 at most. */
export async function listRetentions(db: Queryable): Promise<RetentionOfApplication[]> {
  const { rows } = await db.query<{ name: string; retention_ms: bigint }>(listStatement, [
    maxApplications,
  ]);
  return rows.map(({ name, retention_ms }) => ({
    application: name,
    retentionMs: Number(retention_ms),
  }));
}

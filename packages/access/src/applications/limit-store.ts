import type { Queryable, Statement } from '@posthaste/postgres';
import { type ApplicationLimits, toLimits } from './application.js';

/** Limits of its own that an application has. */
export interface LimitsOfApplication {
  readonly application: string;
  readonly limits: ApplicationLimits;
  readonly updatedAt: Date;
}

/** Index: `application_updated_at`. */
const changedStatement: Statement = {
  name: 'access_changed_limits',
  text: `select name, limits, updated_at from gateway.application
    where updated_at > $1::timestamptz - interval '10 s'`,
};

const allStatement: Statement = {
  name: 'access_all_limits',
  text: `select name, limits, updated_at from gateway.application where limits::text <> '{}'`,
};

interface LimitsRow {
  readonly name: string;
  readonly limits: unknown;
  readonly updated_at: Date;
}

/**
 * Returns the applications with limits of their own, or those that were changed since a moment:
 * transactions that were committed up to ten seconds late are among them.
 */
export async function listLimits(
  db: Queryable,
  changedSince: Date | undefined,
): Promise<LimitsOfApplication[]> {
  const { rows } = await (changedSince === undefined
    ? db.query<LimitsRow>(allStatement)
    : db.query<LimitsRow>(changedStatement, [changedSince]));
  return rows.map(({ name, limits, updated_at }) => ({
    application: name,
    limits: toLimits(limits),
    updatedAt: updated_at,
  }));
}

/** True if an application has a limit of its own. */
export async function hasOwnLimits(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>({
    name: 'access_has_limits',
    text: `select exists (select from gateway.application where limits::text <> '{}') as found`,
  });
  return rows[0]?.found ?? false;
}

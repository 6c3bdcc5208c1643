import { type Applications, toApplicationColumn } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import {
  type Application,
  type ApplicationChange,
  type ApplicationState,
  toLimits,
} from './application.js';

interface ApplicationRow {
  readonly name: string;
  readonly state: ApplicationState;
  readonly limits: unknown;
  readonly retention_ms: bigint | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const columns = 'name, state, limits, retention_ms, created_at, updated_at';

/** Inserts an application. Returns undefined if there is one with this name. */
export async function insertApplication(
  db: Queryable,
  name: string,
  { limits = {}, retentionMs = null }: ApplicationChange,
): Promise<Application | undefined> {
  const { rows } = await db.query<ApplicationRow>(
    `insert into gateway.application (name, limits, retention_ms)
     values ($1, jsonb_strip_nulls($2::jsonb)::json, $3)
     on conflict (name) do nothing returning ${columns}`,
    [name, JSON.stringify(limits), retentionMs],
  );
  return rows[0] && toApplication(rows[0]);
}

/** Inserts those of the names that are not there yet, and returns them. */
export async function registerNames(
  db: Queryable,
  names: readonly string[],
): Promise<readonly Application[]> {
  // In one order, so that two processes do not wait for each other.
  const { rows } = await db.query<ApplicationRow>(
    {
      name: 'access_register_applications',
      text: `insert into gateway.application (name)
        select name from unnest($1::text[]) as n(name) order by name on conflict (name) do nothing
        returning ${columns}`,
    },
    [[...names]],
  );
  return rows.map(toApplication);
}

/** Finds an application. */
export async function findApplication(
  db: Queryable,
  name: string,
): Promise<Application | undefined> {
  const { rows } = await db.query<ApplicationRow>(
    `select ${columns} from gateway.application where name = $1`,
    [name],
  );
  return rows[0] && toApplication(rows[0]);
}

/** Part of a list of applications. */
export interface ApplicationPage {
  readonly limit: number;
  /** Last name of the page before. Default: the first page. */
  readonly after?: string | undefined;
}

/** Lists applications that are `within` these, by name, in the order of the primary key. */
export async function listApplications(
  db: Queryable,
  within: Applications,
  { limit, after }: ApplicationPage,
): Promise<Application[]> {
  const { rows } = await db.query<ApplicationRow>(
    `select ${columns} from gateway.application
     where ($1::text[] is null or name = any($1)) and ($2::text is null or name > $2)
     order by name limit $3`,
    [toApplicationColumn(within), after ?? null, limit],
  );
  return rows.map(toApplication);
}

/** Changes an application that is active. Returns undefined if there is none. */
export async function updateApplication(
  db: Queryable,
  name: string,
  { limits, retentionMs }: ApplicationChange,
): Promise<Application | undefined> {
  // Merged by the database, so that of two changes at a time neither is lost.
  const { rows } = await db.query<ApplicationRow>(
    `update gateway.application set
       limits = jsonb_strip_nulls(limits::jsonb || $2::jsonb)::json,
       retention_ms = case when $3::boolean then $4::bigint else retention_ms end,
       updated_at = now()
     where name = $1 and state = 'active' returning ${columns}`,
    [name, JSON.stringify(limits ?? {}), retentionMs !== undefined, retentionMs ?? null],
  );
  return rows[0] && toApplication(rows[0]);
}

/** Lists the names of applications that are being deleted. Index: `application_deleting`. */
export async function listDeletingNames(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>({
    name: 'access_deleting_applications',
    text: `select name from gateway.application where state = 'deleting'`,
  });
  return rows.map(({ name }) => name);
}

function toApplication(row: ApplicationRow): Application {
  return {
    name: row.name,
    state: row.state,
    limits: toLimits(row.limits),
    retentionMs: row.retention_ms === null ? null : Number(row.retention_ms),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

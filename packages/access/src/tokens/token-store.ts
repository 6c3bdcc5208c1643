import type { Queryable } from '@posthaste/postgres';
import type { Rights } from '../rights.js';
import type { Scope } from '../scopes.js';

/** Most tokens of one key or session that can be revoked one by one, in a day. */
export const maxRevocations = 1_000;

/** Time for which the removal of an application is kept, in days: longer than tokens live. */
const keptRemovalDays = 2;

/** API key that has made tokens. */
export interface ParentKey {
  readonly id: string;
  readonly rights: readonly Rights[];
  /** Realtime channels; `null` for all. */
  readonly channels: readonly string[] | null;
  /** Milliseconds until it expires, by the database's clock; `null` is never. */
  readonly remainingMs: number | null;
}

interface KeyRow {
  readonly id: string;
  readonly applications: readonly string[] | null;
  readonly scopes: readonly Scope[];
  readonly channels: readonly string[] | null;
  readonly remaining_ms: number | null;
}

/** Finds those keys that are neither revoked nor expired, by the primary key. */
export async function findParentKeys(db: Queryable, ids: readonly string[]): Promise<ParentKey[]> {
  const { rows } = await db.query<KeyRow>(
    {
      name: 'access_parent_keys',
      text: `
        select id, applications, scopes, channels,
          (extract(epoch from expires_at - now()) * 1000)::float8 as remaining_ms
        from gateway.api_key
        where id = any($1::uuid[]) and revoked_at is null
          and (expires_at is null or expires_at > now())`,
    },
    [ids],
  );
  return rows.map(({ id, applications, scopes, channels, remaining_ms: remainingMs }) => ({
    id,
    channels,
    rights: [{ applications: applications ?? 'all', scopes }],
    remainingMs,
  }));
}

/** Revocation of a token, by its maker. */
export interface TokenRevocation {
  readonly id: string;
  /** Id of the key or session that made the token. */
  readonly parentId: string;
  /** Time for which the revocation is kept: the longest life of a token, in seconds. */
  readonly keptSeconds: number;
}

/**
 * Stores the revocation of a token, and deletes some that are no longer needed. Returns false if the
 * maker of the token has `maxRevocations` already: any id can be revoked, so they are limited. Index:
 * the primary key.
 */
export async function insertTokenRevocation(
  db: Queryable,
  { id, parentId, keptSeconds }: TokenRevocation,
): Promise<boolean> {
  const { rows } = await db.query<{ is_stored: boolean }>(
    {
      name: 'access_revoke_token',
      text: `
        with ended as (
          delete from gateway.revoked_token where (parent_id, id) in (
            select parent_id, id from gateway.revoked_token where expires_at < now()
            order by expires_at limit 10 for update skip locked
          )
        ), stored as (
          insert into gateway.revoked_token (id, parent_id, expires_at)
          select $1::uuid, $2::text, now() + $3::float8 * interval '1 s'
          where (select count(*) from gateway.revoked_token where parent_id = $2) < ${maxRevocations}
          on conflict do nothing
          returning 1
        )
        select exists (select from stored) or exists (
          select from gateway.revoked_token where parent_id = $2 and id = $1
        ) as is_stored`,
    },
    [id, parentId, keptSeconds],
  );
  return rows[0]?.is_stored === true;
}

/** Returns the ids of those tokens that their makers have revoked. */
export async function findRevokedTokens(
  db: Queryable,
  tokens: readonly { readonly id: string; readonly parentId: string }[],
): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    {
      name: 'access_revoked_tokens',
      text: `
        select t.id from gateway.revoked_token t
        join unnest($1::uuid[], $2::text[]) as asked(id, parent_id) using (id, parent_id)`,
    },
    [tokens.map(({ id }) => id), tokens.map(({ parentId }) => parentId)],
  );
  return new Set(rows.map(({ id }) => id));
}

/**
 * Stores that an application is removed now: tokens made before lose it. Deletes what no token can be
 * older than. Index: the primary key.
 */
export async function insertRemovedApplication(db: Queryable, name: string): Promise<void> {
  await db.query(
    `with ended as (
       delete from gateway.removed_application
       where name <> $1 and removed_at < now() - interval '${keptRemovalDays} days'
     )
     insert into gateway.removed_application (name, removed_at) values ($1, now())
     on conflict (name) do update set removed_at = now()`,
    [name],
  );
}

/** Returns when those of the applications that were removed were removed last, in Unix ms, by name. */
export async function findRemovedApplications(
  db: Queryable,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.query<{ name: string; removed_ms: number }>(
    {
      name: 'access_removed_applications',
      text: `
        select name, (extract(epoch from removed_at) * 1000)::float8 as removed_ms
        from gateway.removed_application where name = any($1::text[])`,
    },
    [names],
  );
  return new Map(rows.map(({ name, removed_ms: removedMs }) => [name, removedMs]));
}

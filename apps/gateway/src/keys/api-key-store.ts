import type { Queryable } from '@posthaste/postgres';
import { drizzle, ormOf, pgCore } from '@posthaste/postgres/drizzle';
import type { Scope } from './scopes.js';

const { and, desc, eq, gt, inArray, isNull, lt, or, sql } = drizzle;
const { customType, pgSchema, text, timestamp, uuid } = pgCore;

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const moment = (name: string) => timestamp(name, { withTimezone: true });

const apiKeys = pgSchema('gateway').table('api_key', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  secretHash: bytea('secret_hash').notNull(),
  scopes: text('scopes').array().$type<Scope[]>().notNull(),
  createdAt: moment('created_at').notNull().defaultNow(),
  expiresAt: moment('expires_at'),
  revokedAt: moment('revoked_at'),
  lastUsedAt: moment('last_used_at'),
});

/** Everything but the hash, which leaves this file only to be compared. */
const visible = {
  id: apiKeys.id,
  name: apiKeys.name,
  scopes: apiKeys.scopes,
  createdAt: apiKeys.createdAt,
  expiresAt: apiKeys.expiresAt,
  revokedAt: apiKeys.revokedAt,
  lastUsedAt: apiKeys.lastUsedAt,
};

/** An API key, without its secret. */
export interface ApiKey {
  readonly id: string;
  /** What people call it. Need not be unique. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  /** Not accepted from this moment on; `null` is never. */
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** To the minute; `null` when it was not used yet. */
  readonly lastUsedAt: Date | null;
}

export interface NewApiKey {
  readonly id: string;
  readonly name: string;
  readonly secretHash: Buffer;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Date | null;
}

/** A key that is neither revoked nor expired, with what is needed to check a secret. */
export interface UsableKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secretHash: Buffer;
  /** Milliseconds until it expires, by the database's clock; `null` is never. */
  readonly remainingMs: number | null;
}

export async function insertKey(db: Queryable, key: NewApiKey): Promise<ApiKey> {
  const [row] = await ormOf(db)
    .insert(apiKeys)
    .values({ ...key, scopes: [...key.scopes] })
    .returning(visible);
  if (!row) throw new Error('an insert returned no row');
  return row;
}

/** By primary key. */
export async function findUsableKey(db: Queryable, id: string): Promise<UsableKey | undefined> {
  const [row] = await ormOf(db)
    .select({
      id: apiKeys.id,
      name: apiKeys.name,
      scopes: apiKeys.scopes,
      secretHash: apiKeys.secretHash,
      remainingMs: sql<
        number | null
      >`(extract(epoch from ${apiKeys.expiresAt} - now()) * 1000)::float8`.mapWith(Number),
    })
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.id, id),
        isNull(apiKeys.revokedAt),
        or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)),
      ),
    );
  return row;
}

/** Newest first, revoked and expired ones included; `before` is the last id of the page before. */
export function listKeys(
  db: Queryable,
  page: { readonly limit: number; readonly before?: string | undefined },
): Promise<ApiKey[]> {
  // Ids are made of time, so their order is that of creation, and the primary key serves it.
  return ormOf(db)
    .select(visible)
    .from(apiKeys)
    .where(page.before === undefined ? undefined : lt(apiKeys.id, page.before))
    .orderBy(desc(apiKeys.id))
    .limit(page.limit);
}

/** Revoking twice keeps the first moment. `undefined` when there is no such key. */
export async function revokeKey(db: Queryable, id: string): Promise<ApiKey | undefined> {
  const [row] = await ormOf(db)
    .update(apiKeys)
    .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, now())` })
    .where(eq(apiKeys.id, id))
    .returning(visible);
  return row;
}

export async function touchKeys(db: Queryable, ids: readonly string[]): Promise<void> {
  await ormOf(db)
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(inArray(apiKeys.id, [...ids]));
}

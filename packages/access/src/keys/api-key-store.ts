import type { Queryable } from '@posthaste/postgres';
import { drizzle, ormOf, pgCore } from '@posthaste/postgres/drizzle';
import type { Scope } from '../scopes.js';

const { and, desc, eq, gt, inArray, isNull, lt, or, sql } = drizzle;
const { customType, pgSchema, text, timestamp, uuid } = pgCore;

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const moment = (name: string) => timestamp(name, { withTimezone: true });

const apiKeys = pgSchema('gateway').table('api_key', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  secretHash: bytea('secret_hash').notNull(),
  scopes: text('scopes').array().$type<Scope[]>().notNull(),
  applications: text('applications').array(),
  createdAt: moment('created_at').notNull().defaultNow(),
  expiresAt: moment('expires_at'),
  revokedAt: moment('revoked_at'),
  lastUsedAt: moment('last_used_at'),
});

/** Columns of an `ApiKey`: all but the hash, which leaves this file only to be compared. */
const publicColumns = {
  id: apiKeys.id,
  name: apiKeys.name,
  scopes: apiKeys.scopes,
  applications: apiKeys.applications,
  createdAt: apiKeys.createdAt,
  expiresAt: apiKeys.expiresAt,
  revokedAt: apiKeys.revokedAt,
  lastUsedAt: apiKeys.lastUsedAt,
};

/** An API key, without its secret. */
export interface ApiKey {
  readonly id: string;
  /** Name for people. Need not be unique. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Applications that it may use; `null` for all. */
  readonly applications: readonly string[] | null;
  readonly createdAt: Date;
  /** End of the key's validity; `null` is never. */
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** Time of the last use, to the minute; `null` when it was not used yet. */
  readonly lastUsedAt: Date | null;
}

export interface NewApiKey {
  readonly id: string;
  readonly name: string;
  readonly secretHash: Buffer;
  readonly scopes: readonly Scope[];
  /** `null` for all. */
  readonly applications: readonly string[] | null;
  readonly expiresAt: Date | null;
}

/** A key that is neither revoked nor expired, with the hash that a secret is compared to. */
export interface UsableKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `null` for all. */
  readonly applications: readonly string[] | null;
  readonly secretHash: Buffer;
  readonly expiresAt: Date | null;
  /** Milliseconds until it expires, by the database's clock; `null` is never. */
  readonly remainingMs: number | null;
}

/** Inserts a key. */
export async function insertKey(db: Queryable, key: NewApiKey): Promise<ApiKey> {
  const [row] = await ormOf(db)
    .insert(apiKeys)
    .values({
      ...key,
      scopes: [...key.scopes],
      applications: key.applications && [...key.applications],
    })
    .returning(publicColumns);
  if (!row) throw new Error('an insert returned no row');
  return row;
}

/** Finds a key that is neither revoked nor expired, by the primary key. */
export async function findUsableKey(db: Queryable, id: string): Promise<UsableKey | undefined> {
  const [row] = await ormOf(db)
    .select({
      id: apiKeys.id,
      name: apiKeys.name,
      scopes: apiKeys.scopes,
      applications: apiKeys.applications,
      secretHash: apiKeys.secretHash,
      expiresAt: apiKeys.expiresAt,
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

/** Lists keys, newest first, with revoked and expired ones. `before` is the last id listed before. */
export function listKeys(
  db: Queryable,
  page: { readonly limit: number; readonly before?: string | undefined },
): Promise<ApiKey[]> {
  // Ids begin with their time, so the order of the primary key is that of creation.
  return ormOf(db)
    .select(publicColumns)
    .from(apiKeys)
    .where(page.before === undefined ? undefined : lt(apiKeys.id, page.before))
    .orderBy(desc(apiKeys.id))
    .limit(page.limit);
}

/** Revokes a key. Revoking again keeps the first time. Returns `undefined` for an unknown key. */
export async function revokeKey(db: Queryable, id: string): Promise<ApiKey | undefined> {
  const [row] = await ormOf(db)
    .update(apiKeys)
    .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, now())` })
    .where(eq(apiKeys.id, id))
    .returning(publicColumns);
  return row;
}

/** Sets the time of the last use of these keys to now. */
export async function updateLastUsed(db: Queryable, ids: readonly string[]): Promise<void> {
  await ormOf(db)
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(inArray(apiKeys.id, [...ids]));
}

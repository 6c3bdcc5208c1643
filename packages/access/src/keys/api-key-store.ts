import type { Applications } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import { drizzle, ormOf, pgCore } from '@posthaste/postgres/drizzle';
import type { TargetState } from '../audit/change.js';
import type { Caller } from '../caller.js';
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
  channels: text('channels').array(),
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
  channels: apiKeys.channels,
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
  /** Realtime channels that it may use: paths and patterns; `null` for all. */
  readonly channels: readonly string[] | null;
  readonly createdAt: Date;
  /** End of the key's validity; `null` is never. */
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** Time of the last use, to the minute; `null` when it was not used yet. */
  readonly lastUsedAt: Date | null;
}

/** Returns what the audit log shows of a key. */
export function toKeyState({
  id,
  name,
  scopes,
  applications,
  channels,
  ...times
}: ApiKey): TargetState {
  return {
    id,
    name,
    scopes,
    applications,
    channels,
    expiresAt: times.expiresAt?.toISOString() ?? null,
    revokedAt: times.revokedAt?.toISOString() ?? null,
  };
}

export interface NewApiKey {
  readonly id: string;
  readonly name: string;
  readonly secretHash: Buffer;
  readonly scopes: readonly Scope[];
  /** `null` for all. */
  readonly applications: readonly string[] | null;
  /** `null` for all. */
  readonly channels: readonly string[] | null;
  readonly expiresAt: Date | null;
}

/** A key that is neither revoked nor expired, with the hash that a secret is compared to. */
export interface UsableKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `null` for all. */
  readonly applications: readonly string[] | null;
  /** `null` for all. */
  readonly channels: readonly string[] | null;
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
      channels: key.channels && [...key.channels],
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
      channels: apiKeys.channels,
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

/**
 * Returns the ids of those keys that are neither revoked nor expired, and still have these
 * applications. By the primary key.
 */
export async function findUsableIds(
  db: Queryable,
  keys: readonly Pick<Caller, 'id' | 'applications'>[],
): Promise<string[]> {
  const { rows } = await db.query<Pick<ApiKey, 'id' | 'applications'>>(usableKeys, [
    keys.map(({ id }) => id),
  ]);
  const known = new Map(rows.map(({ id, applications }) => [id, applications]));
  return keys.filter((key) => hasApplications(key, known.get(key.id))).map(({ id }) => id);
}

const usableKeys = {
  name: 'access_usable_keys',
  text: `
select id, applications from gateway.api_key
where id = any($1::uuid[]) and revoked_at is null and (expires_at is null or expires_at > now())`,
};

function hasApplications(
  { applications }: Pick<Caller, 'applications'>,
  stored: readonly string[] | null | undefined,
): boolean {
  if (stored === undefined) return false;
  if (stored === null || applications === 'all') return stored === null && applications === 'all';
  return (
    stored.length === applications.length && stored.every((name, i) => name === applications[i])
  );
}

/** Page of a list of keys. */
export interface KeyPage {
  readonly limit: number;
  /** Id of the last key of the page before. */
  readonly before?: string | undefined;
}

/** Condition on keys that the applications of somebody include. */
function within(applications: Applications) {
  return applications === 'all'
    ? undefined
    : sql`${apiKeys.applications} <@ ${sql.param([...applications])}::text[]`;
}

/** Finds a key whose applications are all among these, also a revoked or expired one. */
export async function findKey(
  db: Queryable,
  id: string,
  applications: Applications,
): Promise<ApiKey | undefined> {
  const [row] = await ormOf(db)
    .select(publicColumns)
    .from(apiKeys)
    .where(and(eq(apiKeys.id, id), within(applications)));
  return row;
}

/** Lists keys whose applications are all among these, newest first, with revoked and expired ones. */
export function listKeys(
  db: Queryable,
  applications: Applications,
  page: KeyPage,
): Promise<ApiKey[]> {
  // Ids begin with their time, so the order of the primary key is that of creation.
  return ormOf(db)
    .select(publicColumns)
    .from(apiKeys)
    .where(
      and(
        within(applications),
        page.before === undefined ? undefined : lt(apiKeys.id, page.before),
      ),
    )
    .orderBy(desc(apiKeys.id))
    .limit(page.limit);
}

/**
 * Revokes a key whose applications are all among these. Revoking again keeps the first time. Returns
 * `undefined` for any other key.
 */
export async function revokeKey(
  db: Queryable,
  id: string,
  applications: Applications,
): Promise<ApiKey | undefined> {
  const [row] = await ormOf(db)
    .update(apiKeys)
    .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, now())` })
    .where(and(eq(apiKeys.id, id), within(applications)))
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

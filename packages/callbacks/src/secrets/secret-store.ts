import { PlatformError } from '@posthaste/contracts';
import { type Queryable, type Statement, sqlState, type Transaction } from '@posthaste/postgres';
import { describeSecret, type SecretKey } from './secret-key.js';
import type { SecretKind } from './signature.js';

/** A version of a secret, to be stored. */
export interface SealedVersion extends SecretKey {
  readonly version: number;
  readonly kind: SecretKind;
  readonly publicKey: string | undefined;
  readonly sealed: Buffer;
}

/** Row of a version, without its text. */
export interface SecretVersionRow extends SecretKey {
  readonly version: number;
  readonly kind: SecretKind;
  readonly public_key: string | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

/** A version of a secret, without its text. */
export interface SecretVersion {
  readonly version: number;
  readonly kind: SecretKind;
  /** `whpk_…`; ed25519 only. */
  readonly publicKey: string | undefined;
  readonly createdAt: Date;
  /** Time from which it no longer signs; absent for the latest version. */
  readonly expiresAt: Date | undefined;
}

/** A secret as callers may see it, without its text. */
export interface SecretView extends SecretKey {
  /** Versions that sign, latest first. */
  readonly versions: readonly SecretVersion[];
}

const uniqueViolation = '23505';
const isActive = '(expires_at is null or expires_at > now())';
const versionColumns = 'application, name, version, kind, public_key, created_at, expires_at';

const insertStatement: Statement = {
  name: 'callbacks_secret_insert',
  text: `insert into callbacks.secret (application, name, version, kind, public_key, sealed)
    values ($1, $2, $3, $4, $5, $6)`,
};

/** Inserts a version. @throws PlatformError `SECRET_EXISTS` */
export async function insertSecretVersion(db: Queryable, version: SealedVersion): Promise<void> {
  const { application, name, kind, publicKey, sealed } = version;
  const values = [application, name, version.version, kind, publicKey ?? null, sealed];
  try {
    await db.query(insertStatement, values);
  } catch (cause) {
    if (sqlState(cause) !== uniqueViolation) throw cause;
    const message = `${describeSecret(version)} already exists`;
    throw new PlatformError('SECRET_EXISTS', message, { cause });
  }
}

const lockStatement: Statement = {
  name: 'callbacks_secret_lock',
  text: `select from callbacks.secret where application = $1 and name = $2
    order by version for update`,
};

const latestStatement: Statement = {
  name: 'callbacks_secret_latest',
  text: `select ${versionColumns} from callbacks.secret where application = $1 and name = $2
    order by version desc limit 1`,
};

/** Locks a secret and returns its latest version; `undefined` when there is none. */
export async function lockSecret(
  tx: Transaction,
  { application, name }: SecretKey,
): Promise<SecretVersionRow | undefined> {
  await tx.query(lockStatement, [application, name]);
  // A separate statement sees the version that the previous holder of the lock has inserted.
  const { rows } = await tx.query<SecretVersionRow>(latestStatement, [application, name]);
  return rows[0];
}

/**
 * Sets the expiry of all versions, never later than an earlier rotation did. Versions that have
 * expired are deleted.
 */
const expireStatement: Statement = {
  name: 'callbacks_secret_expire',
  text: `
with over as (
  delete from callbacks.secret
  where application = $1 and name = $2 and ($3::float8 = 0 or expires_at <= now())
)
update callbacks.secret set expires_at = least(expires_at, now() + $3::float8 * interval '1 ms')
where application = $1 and name = $2 and $3::float8 > 0 and ${isActive}`,
};

/** Lets all versions of a secret expire after `graceMs` at the latest. */
export async function expireSecret(
  tx: Transaction,
  { application, name }: SecretKey,
  graceMs: number,
): Promise<void> {
  await tx.query(expireStatement, [application, name, graceMs]);
}

const versionsStatement: Statement = {
  name: 'callbacks_secret_versions',
  text: `select ${versionColumns} from callbacks.secret
    where application = $1 and name = $2 and ${isActive} order by version desc`,
};

/** Lists the versions of a secret that sign, latest first. */
export async function listSecretVersions(
  db: Queryable,
  { application, name }: SecretKey,
): Promise<SecretVersionRow[]> {
  return (await db.query<SecretVersionRow>(versionsStatement, [application, name])).rows;
}

const pageKeys = (condition: string): string => `
  select distinct s.application, s.name from callbacks.secret s
  where ${condition} (s.application, s.name) > ($1, $2) and not starts_with(s.name, $3)
    and ${isActive}
  order by s.application, s.name limit $4`;

const pageText = (keys: string): string => `
select ${versionColumns} from (${keys}) page
join callbacks.secret using (application, name)
where ${isActive}
order by application, name, version desc`;

const pageStatement: Statement = { name: 'callbacks_secret_page', text: pageText(pageKeys('')) };

/** Reads the secrets of the applications `$5`, and no row of another one. Index: primary key. */
const ownPageStatement: Statement = {
  name: 'callbacks_secret_page_own',
  text: pageText(`
select k.* from unnest($5::text[]) a(application)
cross join lateral (${pageKeys('s.application = a.application and')}) k
order by k.application, k.name limit $4`),
};

/** Page of secrets to read. */
export interface SecretPageRequest {
  /** Secrets after this one are listed. */
  readonly after: SecretKey;
  /** Applications to list; absent: all. */
  readonly applications: readonly string[] | undefined;
  /** Secrets whose names begin with this text are left out. */
  readonly excludedPrefix: string;
  /** Most secrets, each with all its versions. */
  readonly limit: number;
}

/** Lists secrets in the order of application and name, the versions of each latest first. */
export async function listSecrets(
  db: Queryable,
  { after, applications, excludedPrefix, limit }: SecretPageRequest,
): Promise<SecretVersionRow[]> {
  const values = [after.application, after.name, excludedPrefix, limit];
  const { rows } = applications
    ? await db.query<SecretVersionRow>(ownPageStatement, [...values, applications])
    : await db.query<SecretVersionRow>(pageStatement, values);
  return rows;
}

const sealedStatement: Statement = {
  name: 'callbacks_secret_sealed',
  text: `select sealed from callbacks.secret where application = $1 and name = $2 and ${isActive}
    order by version desc`,
};

/**
 * Groups versions by secret.
 * @param rows versions of one secret next to each other, the latest first
 */
export function toSecretViews(rows: readonly SecretVersionRow[]): SecretView[] {
  const views: (SecretKey & { versions: SecretVersion[] })[] = [];
  for (const { application, name, ...row } of rows) {
    const last = views.at(-1);
    const version: SecretVersion = {
      version: row.version,
      kind: row.kind,
      publicKey: row.public_key ?? undefined,
      createdAt: row.created_at,
      expiresAt: row.expires_at ?? undefined,
    };
    if (last?.application === application && last.name === name) last.versions.push(version);
    else views.push({ application, name, versions: [version] });
  }
  return views;
}

/** Lists the sealed texts of the versions that sign, latest first. */
export async function listSealed(
  db: Queryable,
  { application, name }: SecretKey,
): Promise<Buffer[]> {
  const { rows } = await db.query<{ sealed: Buffer }>(sealedStatement, [application, name]);
  return rows.map(({ sealed }) => sealed);
}

/** Removes all versions of a secret; false when there were none. */
export async function deleteSecret(
  db: Queryable,
  { application, name }: SecretKey,
): Promise<boolean> {
  const sql = 'delete from callbacks.secret where application = $1 and name = $2';
  return (await db.query(sql, [application, name])).rowCount > 0;
}

/**
 * Removes the versions whose grace time is over. They no longer sign in any case; housekeeping
 * calls this so that old keys are not stored for longer than needed.
 * @returns the number of versions removed
 */
export async function removeExpiredSecrets(db: Queryable): Promise<number> {
  return (await db.query('delete from callbacks.secret where expires_at <= now()')).rowCount;
}

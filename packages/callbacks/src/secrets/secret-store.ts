import { PlatformError } from '@posthaste/contracts';
import { type Queryable, type Statement, sqlState, type Transaction } from '@posthaste/postgres';
import { withApplication } from '../application-name.js';
import type { SecretKind } from './signature.js';

/** Names a secret. */
export interface SecretKey {
  readonly application: string;
  readonly name: string;
}

/** A version to be stored. */
export interface SealedVersion extends SecretKey {
  readonly version: number;
  readonly kind: SecretKind;
  readonly publicKey: string | undefined;
  readonly sealed: Buffer;
}

export interface SecretVersionRow extends SecretKey {
  readonly version: number;
  readonly kind: SecretKind;
  readonly public_key: string | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

const uniqueViolation = '23505';
const isActive = '(expires_at is null or expires_at > now())';
const versionColumns = 'application, name, version, kind, public_key, created_at, expires_at';

const insertStatement: Statement = {
  name: 'callbacks_secret_insert',
  text: `insert into callbacks.secret (application, name, version, kind, public_key, sealed)
    values ($1, $2, $3, $4, $5, $6)`,
};

/** @throws PlatformError `SECRET_EXISTS` */
export async function insertSecretVersion(db: Queryable, version: SealedVersion): Promise<void> {
  const { application, name, kind, publicKey, sealed } = version;
  const values = [application, name, version.version, kind, publicKey ?? null, sealed];
  try {
    await db.query(insertStatement, values);
  } catch (error) {
    if (sqlState(error) !== uniqueViolation) throw error;
    const message = `there is a ${withApplication(`secret ${name}`, application)} already`;
    throw new PlatformError('SECRET_EXISTS', message, { cause: error });
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

/** Locks a secret and gives its latest version; `undefined` when there is none. */
export async function lockSecret(
  tx: Transaction,
  { application, name }: SecretKey,
): Promise<SecretVersionRow | undefined> {
  await tx.query(lockStatement, [application, name]);
  // A statement of its own: it sees the version of whoever held the lock before.
  const { rows } = await tx.query<SecretVersionRow>(latestStatement, [application, name]);
  return rows[0];
}

/** Never later than an earlier rotation said. What is over already is removed at once. */
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

/** Lets all versions of a secret sign for `graceMs` more at most. */
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

/** The versions of a secret that sign, the latest first. */
export async function listSecretVersions(
  db: Queryable,
  { application, name }: SecretKey,
): Promise<SecretVersionRow[]> {
  return (await db.query<SecretVersionRow>(versionsStatement, [application, name])).rows;
}

const pageStatement: Statement = {
  name: 'callbacks_secret_page',
  text: `
select ${versionColumns}
from (
  select distinct application, name from callbacks.secret
  where (application, name) > ($1, $2) and ($3::text is null or application = $3)
    and not starts_with(name, $4) and ${isActive}
  order by application, name limit $5
) page
join callbacks.secret using (application, name)
where ${isActive}
order by application, name, version desc`,
};

export interface SecretPageRequest {
  readonly after: SecretKey;
  readonly application: string | undefined;
  /** Names that begin with this are left out. */
  readonly exceptPrefix: string;
  /** Secrets at most, each with all its versions. */
  readonly limit: number;
}

/** The versions of several secrets, in the order of application and name, the latest first. */
export async function listSecrets(
  db: Queryable,
  { after, application, exceptPrefix, limit }: SecretPageRequest,
): Promise<SecretVersionRow[]> {
  const values = [after.application, after.name, application ?? null, exceptPrefix, limit];
  return (await db.query<SecretVersionRow>(pageStatement, values)).rows;
}

const sealedStatement: Statement = {
  name: 'callbacks_secret_sealed',
  text: `select sealed from callbacks.secret where application = $1 and name = $2 and ${isActive}
    order by version desc`,
};

/** What signs, sealed, the latest version first. */
export async function listSealed(
  db: Queryable,
  { application, name }: SecretKey,
): Promise<Buffer[]> {
  const { rows } = await db.query<{ sealed: Buffer }>(sealedStatement, [application, name]);
  return rows.map(({ sealed }) => sealed);
}

/** Removes all versions; false when there were none. */
export async function deleteSecret(
  db: Queryable,
  { application, name }: SecretKey,
): Promise<boolean> {
  const sql = 'delete from callbacks.secret where application = $1 and name = $2';
  return (await db.query(sql, [application, name])).rowCount > 0;
}

/**
 * Removes the versions whose grace time is over, and gives their number. They sign no more
 * either way; for housekeeping, so that old keys do not lie about.
 */
export async function removeExpiredSecrets(db: Queryable): Promise<number> {
  return (await db.query('delete from callbacks.secret where expires_at <= now()')).rowCount;
}

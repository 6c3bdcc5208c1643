import type { Queryable } from '@posthaste/postgres';
import type { Grant, Role } from '../roles.js';
import type { Scope } from '../scopes.js';
import type { NewSession, Session, UsableSession } from './session.js';

/** Time after its end for which a session stays in the list, in days. */
const keptDays = 30;
/** Most ended sessions that a new one deletes: more than one, so that none pile up. */
const deletedPerInsert = 10;
/** Most sessions of one person or key, ended ones included. The oldest is deleted for a new one. */
const maxPerOwner = 100;

/** Grant as it is stored. `null` is all applications. */
interface GrantRow {
  readonly role: Role;
  readonly applications: readonly string[] | null;
}

interface SessionRow {
  readonly id: string;
  readonly issuer: string | null;
  readonly subject: string;
  readonly name: string;
  readonly email: string | null;
  readonly grants: readonly GrantRow[];
  readonly created_at: Date;
  readonly last_used_at: Date;
  readonly expires_at: Date;
  readonly revoked_at: Date | null;
}

const columns =
  'id, issuer, subject, name, email, grants, created_at, last_used_at, expires_at, revoked_at';

/**
 * Inserts a session. Deletes the oldest of the same person or key beyond `maxPerOwner`, and some of
 * anybody that ended long ago. Returns `undefined` if there is a session of this sign-in already. Indexes:
 * `session_owner`, `session_expires_at`.
 */
export async function insertSession(
  db: Queryable,
  session: NewSession,
): Promise<Session | undefined> {
  const { rows } = await db.query<SessionRow>(
    {
      name: 'access_insert_session',
      text: `
        with ended as (
          delete from gateway.session where id in (
            select id from gateway.session
            where expires_at < now() - interval '${keptDays} days'
            order by expires_at limit ${deletedPerInsert} for update skip locked
          )
        ), surplus as (
          delete from gateway.session where id in (
            select id from gateway.session
            where issuer is not distinct from $4 and subject = $5
            order by id desc offset ${maxPerOwner - 1}
          )
        )
        insert into gateway.session
          (id, secret_hash, sign_in_id, issuer, subject, api_key_id, name, email, grants, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::float8 * interval '1 ms')
        on conflict (sign_in_id) do nothing
        returning ${columns}`,
    },
    [
      session.id,
      session.secretHash,
      session.signInId,
      session.issuer,
      session.subject,
      session.apiKeyId,
      session.name,
      session.email,
      JSON.stringify(session.grants.map(toGrantRow)),
      session.lengthMs,
    ],
  );
  return rows[0] && toSession(rows[0]);
}

interface UsableSessionRow extends SessionRow {
  readonly secret_hash: Buffer;
  readonly api_key_id: string | null;
  readonly key_applications: readonly string[] | null;
  readonly key_scopes: readonly Scope[] | null;
  readonly remaining_ms: number;
  readonly is_use_due: boolean;
}

/** Choice of sessions that have not ended. */
interface UsableChoice {
  /** Time without a request after which a session ends, in ms. */
  readonly idleMs: number;
}

/**
 * Finds those sessions that are not revoked, expired or idle for too long, by the primary key. That
 * of an API key ends with the key.
 */
export async function findUsableSessions(
  db: Queryable,
  { ids, idleMs }: UsableChoice & { readonly ids: readonly string[] },
): Promise<UsableSession[]> {
  const { rows } = await db.query<UsableSessionRow>(usableSessions, [ids, idleMs]);
  return rows.map(toUsableSession);
}

/** Finds one session as `findUsableSessions` does. */
export async function findUsableSession(
  db: Queryable,
  { id, idleMs }: UsableChoice & { readonly id: string },
): Promise<UsableSession | undefined> {
  const [session] = await findUsableSessions(db, { ids: [id], idleMs });
  return session;
}

const usableSessions = {
  name: 'access_usable_sessions',
  text: `
    select s.id, s.issuer, s.subject, s.name, s.email, s.grants, s.created_at, s.last_used_at,
      least(s.expires_at, k.expires_at) as expires_at, s.revoked_at, s.secret_hash, s.api_key_id,
      k.applications as key_applications, k.scopes as key_scopes,
      (extract(epoch from least(
        s.expires_at, k.expires_at, s.last_used_at + $2::float8 * interval '1 ms'
      ) - now()) * 1000)::float8 as remaining_ms,
      s.last_used_at < now() - least(interval '1 minute', $2::float8 * interval '0.25 ms')
        as is_use_due
    from gateway.session s
    left join gateway.api_key k on k.id = s.api_key_id
    where s.id = any($1::uuid[]) and s.revoked_at is null and s.expires_at > now()
      and s.last_used_at + $2::float8 * interval '1 ms' > now()
      and (s.api_key_id is null
        or k.revoked_at is null and (k.expires_at is null or k.expires_at > now()))`,
};

/** Sets the time of the last use of these sessions to now. */
export async function updateSessionUse(db: Queryable, ids: readonly string[]): Promise<void> {
  await db.query(
    {
      name: 'access_update_session_use',
      text: 'update gateway.session set last_used_at = now() where id = any($1::uuid[])',
    },
    [ids],
  );
}

/** Lists sessions, newest first, with ended ones. `before` is the last id listed before. */
export async function listSessions(
  db: Queryable,
  page: { readonly limit: number; readonly before?: string | undefined },
): Promise<Session[]> {
  const { rows } = await db.query<SessionRow>(
    {
      name: 'access_list_sessions',
      text: `
        select ${columns} from gateway.session
        where $2::uuid is null or id < $2 order by id desc limit $1`,
    },
    [page.limit, page.before ?? null],
  );
  return rows.map(toSession);
}

/** Finds a session, ended or not, by the primary key. */
export async function findSession(db: Queryable, id: string): Promise<Session | undefined> {
  const { rows } = await db.query<SessionRow>(
    {
      name: 'access_find_session',
      text: `select ${columns} from gateway.session where id = $1`,
    },
    [id],
  );
  return rows[0] && toSession(rows[0]);
}

/** Revokes a session. Revoking again keeps the first time. Returns `undefined` for an unknown one. */
export async function revokeSession(db: Queryable, id: string): Promise<Session | undefined> {
  const { rows } = await db.query<SessionRow>(
    {
      name: 'access_revoke_session',
      text: `
        update gateway.session set revoked_at = coalesce(revoked_at, now())
        where id = $1 returning ${columns}`,
    },
    [id],
  );
  return rows[0] && toSession(rows[0]);
}

function toGrantRow({ role, applications }: Grant): GrantRow {
  return { role, applications: applications === 'all' ? null : applications };
}

function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    issuer: row.issuer,
    subject: row.subject,
    name: row.name,
    email: row.email,
    grants: row.grants.map(toGrant),
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  };
}

function toGrant({ role, applications }: GrantRow): Grant {
  return { role, applications: applications ?? 'all' };
}

function toUsableSession(row: UsableSessionRow): UsableSession {
  const { api_key_id: keyId, key_applications: applications, key_scopes: scopes } = row;
  return {
    ...toSession(row),
    secretHash: row.secret_hash,
    key:
      keyId === null
        ? null
        : { id: keyId, applications: applications ?? 'all', scopes: scopes ?? [] },
    remainingMs: row.remaining_ms,
    isUseDue: row.is_use_due,
  };
}

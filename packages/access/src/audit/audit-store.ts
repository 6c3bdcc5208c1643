import { stringifyExactJson } from '@posthaste/contracts';
import type { Database, Statement, Transaction } from '@posthaste/postgres';
import type { AuditEntry } from './change.js';

/** An entry to insert: its id and its time come from the database. */
export type NewAuditEntry = Omit<AuditEntry, 'id' | 'time'>;

/** Class of the advisory locks on targets: "audt" in ASCII. */
const lockClass = 0x61756474;

const lockStatement: Statement = {
  name: 'access_audit_lock',
  text: `select pg_advisory_xact_lock(${lockClass}, hashtext($1))`,
};

/**
 * Locks a target until the end of the transaction, so that the state that is read after it is the one
 * that a change in this transaction replaces. The target need not exist.
 */
export async function lockTarget(
  tx: Transaction,
  { kind, id }: { readonly kind: string; readonly id: string },
): Promise<void> {
  // Ids come from requests, and Postgres fails on text with NUL.
  await tx.query(lockStatement, [`${kind} ${id.replaceAll('\0', '')}`]);
}

const insertStatement: Statement = {
  name: 'access_audit_insert',
  text: `
with moment as materialized (select clock_timestamp() as time)
insert into gateway.audit (
  id, time, application, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name,
  before, after, changed, client_address, user_agent, request_id, note
)
select gateway.audit_id(time), time, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
from moment
returning id, time`,
};

/** Inserts an entry. Returns it with its id and its time. */
export async function insertEntry(tx: Transaction, entry: NewAuditEntry): Promise<AuditEntry> {
  const { actor, target, origin = {}, before, after } = entry;
  const { rows } = await tx.query<Pick<AuditEntry, 'id' | 'time'>>(insertStatement, [
    entry.application ?? null,
    actor.kind,
    actor.id,
    actor.name,
    entry.action,
    target.kind,
    target.id,
    target.name,
    before ? stringifyExactJson(before) : null,
    after ? stringifyExactJson(after) : null,
    entry.changed,
    origin.address ?? null,
    origin.userAgent ?? null,
    origin.requestId ?? null,
    entry.note ?? null,
  ]);
  const [row] = rows;
  if (!row) throw new Error('an insert returned no row');
  return { ...entry, ...row };
}

const retentionStatement: Statement = {
  name: 'access_audit_retention',
  text: "select set_config('posthaste.audit_retention_ms', $1, true)",
};

const deleteStatement: Statement = {
  name: 'access_audit_delete',
  text: `
with old as (
  select id from gateway.audit
  where id < gateway.audit_id_floor(now() - $1::float8 * interval '1 ms')
  order by id limit $2::integer for update skip locked
)
delete from gateway.audit a using old where a.id = old.id`,
};

/** Age and number of entries to delete. */
export interface AuditRetention {
  /** Age above which entries are deleted, in ms; an hour or more. */
  readonly retentionMs: number;
  /** Most entries that one call deletes. */
  readonly maxRows: number;
}

/**
 * Deletes the oldest entries above an age. It is the only way to delete any: a trigger refuses all
 * others.
 * @returns the number of deleted entries; `maxRows` if there may be more
 */
export function deleteOldEntries(
  db: Database,
  { retentionMs, maxRows }: AuditRetention,
): Promise<number> {
  return db.transaction(async (tx) => {
    await tx.query(retentionStatement, [String(retentionMs)]);
    return (await tx.query(deleteStatement, [retentionMs, maxRows])).rowCount;
  });
}

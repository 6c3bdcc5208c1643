import { type ErasingProgress, PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement, Transaction } from '@posthaste/postgres';
import { insertRemovedApplication } from '../tokens/token-store.js';
import type { Erasure } from './erasure.js';
import type { ErasureStage } from './erasure-runner.js';
import { insertErasure } from './erasure-store.js';

/**
 * Time after the request in which a process may still accept something for the application, in ms: it
 * learns within a few seconds that the application is being removed.
 */
const settleMs = 15_000;

/** Removal to start. */
export interface RemovalRequest {
  readonly name: string;
  /** Name of the caller that asks for it. */
  readonly requestedBy: string;
}

const markStatement: Statement = {
  name: 'access_application_remove',
  text: `update gateway.application set state = 'deleting', updated_at = now()
    where name = $1 and state = 'active'`,
};

const revokeStatement: Statement = {
  name: 'access_application_revoke_keys',
  text: `update gateway.api_key set revoked_at = now()
    where revoked_at is null and applications = array[$1::text]`,
};

/** A key that is revoked keeps its applications, so that the list of keys says what it was for. */
const narrowStatement: Statement = {
  name: 'access_application_narrow_keys',
  text: `update gateway.api_key set applications = array_remove(applications, $1)
    where revoked_at is null and cardinality(applications) > 1 and $1 = any(applications)`,
};

/** A session of a key ends with the key, and loses what the key loses. No index: removals are rare. */
const endSessionsStatement: Statement = {
  name: 'access_application_end_sessions',
  text: `update gateway.session set revoked_at = now()
    where revoked_at is null and api_key_id is null and json_array_length(grants) > 0
      and not exists (
        select from jsonb_array_elements(grants::jsonb) g
        where g -> 'applications' <> jsonb_build_array($1::text)
      )`,
};

const narrowSessionsStatement: Statement = {
  name: 'access_application_narrow_sessions',
  text: `update gateway.session set grants = (
      select json_agg(case when g -> 'applications' ? $1::text
        then jsonb_set(g, '{applications}', (g -> 'applications') - $1::text) else g end)
      from jsonb_array_elements(grants::jsonb) g
      where g -> 'applications' <> jsonb_build_array($1::text)
    )
    where revoked_at is null and api_key_id is null and exists (
      select from jsonb_array_elements(grants::jsonb) g where g -> 'applications' ? $1::text
    )`,
};

/**
 * Starts the removal of an application with everything it has. Keys, sessions and tokens of only this
 * application end, and those of several lose it. The caller stops its deliveries in the same transaction.
 * @returns the erasure, or `undefined` if the application is being removed already
 * @throws PlatformError `APPLICATION_NOT_FOUND`
 */
export async function startRemoval(
  tx: Transaction,
  { name, requestedBy }: RemovalRequest,
): Promise<Erasure | undefined> {
  const { rowCount } = await tx.query(markStatement, [name]);
  if (rowCount === 0) {
    await requireApplication(tx, name);
    return undefined;
  }
  await endCredentials(tx, name);
  const selection = { applications: [name], undelivered: 'cancel' } as const;
  return insertErasure(tx, { kind: 'application', selection, requestedBy });
}

/** Takes the application from everybody who may use it. Those who may use no other end. */
async function endCredentials(tx: Transaction, name: string): Promise<void> {
  await tx.query(revokeStatement, [name]);
  await tx.query(narrowStatement, [name]);
  await tx.query(endSessionsStatement, [name]);
  await tx.query(narrowSessionsStatement, [name]);
  await insertRemovedApplication(tx, name);
}

async function requireApplication(db: Queryable, name: string): Promise<void> {
  const { rows } = await db.query('select from gateway.application where name = $1', [name]);
  if (rows.length > 0) return;
  throw new PlatformError('APPLICATION_NOT_FOUND', `there is no application '${name}'`);
}

/** Waits until no process accepts anything for the application any more. */
export const settleStage: ErasureStage = {
  name: 'settle',
  run(_tx, { ageMs }) {
    const waitMs = settleMs - ageMs;
    const nothing: ErasingProgress = { position: undefined, done: true, scanned: 0, erased: 0 };
    return Promise.resolve(waitMs <= 0 ? nothing : { ...nothing, done: false, waitMs });
  },
};

/**
 * Removes the application from the registry, and from keys, sessions and tokens that were created in
 * the meantime. From then on its name is free.
 */
export const registryStage: ErasureStage = {
  name: 'registry',
  async run(tx, { selection: { applications } }) {
    const [name] = applications === 'all' ? [] : applications;
    if (name !== undefined) await endCredentials(tx, name);
    const remove = `delete from gateway.application where name = $1 and state = 'deleting'`;
    const { rowCount } = await tx.query(remove, [name]);
    return { position: undefined, done: true, scanned: 1, erased: rowCount };
  },
};

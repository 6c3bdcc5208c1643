import type { ErasingProgress, ErasingStep } from '@posthaste/contracts';
import type { Queryable, Statement, Transaction } from '@posthaste/postgres';

/** Returns the id of the log that positions belong to. */
export async function readEpoch(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ epoch: string }>('select epoch from realtime.meta');
  const [row] = rows;
  if (row === undefined) throw new Error('realtime.meta has no row');
  return row.epoch;
}

/** The next name is looked up in the index for each one: a loose index scan. */
const namesStatement: Statement = {
  name: 'realtime_application_names',
  text: `
with recursive names as (
  (select application, 1 as n from realtime.namespace
    where application is not null and ($1::text is null or application > $1)
    order by application limit 1)
  union all
  select next.application, names.n + 1 from names cross join lateral (
    select application from realtime.namespace
    where application is not null and application > names.application
    order by application limit 1
  ) next where names.n < $2
)
select application from names limit $2`,
};

/** Lists applications that have namespaces, for the discovery of names. Index: `namespace_own`. */
export async function listRealtimeApplications(
  db: Queryable,
  after: string | undefined,
  limit: number,
): Promise<string[]> {
  const values = [after ?? null, limit];
  const { rows } = await db.query<{ application: string }>(namesStatement, values);
  return rows.map(({ application }) => application);
}

/** Removes namespaces and members of an application that is being removed. One step does it all. */
export async function removeRealtime(
  tx: Transaction,
  application: string,
  _step: ErasingStep,
): Promise<ErasingProgress> {
  await tx.query('update realtime.meta set revision = revision + 1');
  const namespaces = await tx.query('delete from realtime.namespace where application = $1', [
    application,
  ]);
  const members = await tx.query('delete from realtime.member where application = $1', [
    application,
  ]);
  const erased = namespaces.rowCount + members.rowCount;
  return { position: undefined, done: true, scanned: erased, erased };
}

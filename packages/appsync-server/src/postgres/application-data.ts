import type { ErasingProgress, ErasingStep } from '@posthaste/contracts';
import type { Queryable, Transaction } from '@posthaste/postgres';

/** Returns the id of the log that positions belong to. */
export async function readEpoch(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ epoch: string }>('select epoch from realtime.meta');
  const [row] = rows;
  if (row === undefined) throw new Error('realtime.meta has no row');
  return row.epoch;
}

/** Removes namespaces, members and counted channels of an application that is being removed. One step does it all. */
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
  const channels = await tx.query('delete from realtime.channel where application = $1', [
    application,
  ]);
  const erased = namespaces.rowCount + members.rowCount + channels.rowCount;
  return { position: undefined, done: true, scanned: erased, erased };
}

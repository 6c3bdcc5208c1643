import type { Database, Queryable, Statement } from '@posthaste/postgres';

/*
 * The stop of all deliveries of an application that is being removed: a row of the table
 * `stopped_application`. Claims (claim-store.ts) lease nothing of such an application, and a worker
 * that records a result does not keep its lease for the next callback of the queue
 * (result-store.ts). So nothing of the application is sent, however many of its callbacks wait to be
 * removed. An attempt that is under way when the row is written ends; its result is dropped once its
 * callback is removed.
 */

/** Longest wait for the claims that are under way, in ms: all others wait behind it. */
const barrierMs = 1_000;

const stopStatement: Statement = {
  name: 'callbacks_stop_application',
  text: 'insert into callbacks.stopped_application (application) values ($1) on conflict do nothing',
};

/** Stops the deliveries of an application. They end with the commit: see {@link awaitClaims}. */
export async function stopDeliveries(tx: Queryable, application: string): Promise<void> {
  await tx.query(stopStatement, [application]);
}

/** Lets an application deliver again: the next one of its name. */
export async function allowDeliveries(tx: Queryable, application: string): Promise<void> {
  await tx.query('delete from callbacks.stopped_application where application = $1', [application]);
}

/**
 * Waits until no claim is under way that began before {@link stopDeliveries} was committed. Gives up
 * after a second, which only a long reader of the table, such as a backup, can cause.
 */
export async function awaitClaims(db: Database): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      await tx.query(`set local lock_timeout = ${barrierMs}`);
      await tx.query('lock table callbacks.stopped_application in access exclusive mode');
    });
  } catch {
    // The stop itself is committed: only a claim of this very moment can have missed it.
  }
}

import type { ErasingProgress, ErasingStep } from '@posthaste/contracts';
import type { Statement, Transaction } from '@posthaste/postgres';
import { highestId, lowestId } from '../lookup/id-bounds.js';
import { removeAny, removeRows } from './callback-removal.js';

/*
 * Steps that remove what an application has, each in the transaction of the caller, who stores the
 * position in it too. `stopDeliveries` must have been committed before. In this order:
 *
 * 1. `removeSettings`: endpoints with their subscriptions first, so that no event makes a callback
 *    any more; then secrets, queues' settings and the rest.
 * 2. `removeWaiting`: what waits behind the heads of queues. The heads stay, so that at every moment
 *    a queue of which something waits has one.
 * 3. `removeCallbacks`: all other callbacks, with heads, requests and history.
 */

/**
 * Tables of settings, in the order of removal. Each statement deletes up to `$2` rows of the
 * application `$1`; each finds them by an index.
 */
const settings: readonly string[] = [
  `delete from callbacks.endpoint where id in (
     select id from callbacks.endpoint where application = $1 order by id limit $2 for update)`,
  `delete from callbacks.application_policy where (application, name) in (
     select application, name from callbacks.application_policy where application = $1 limit $2)`,
  `delete from callbacks.secret where (application, name, version) in (
     select application, name, version from callbacks.secret where application = $1 limit $2)`,
  `delete from callbacks.replay where id in (
     select id from callbacks.replay where filter ->> 'application' = $1 limit $2)`,
  `delete from callbacks.mail where id in (
     select id from callbacks.mail where application = $1 limit $2)`,
  `delete from callbacks.mail_recipient where id in (
     select id from callbacks.mail_recipient where application = $1 limit $2)`,
  `delete from callbacks.queue where (application, queue) in (
     select application, queue from callbacks.queue where application = $1 limit $2)`,
  `delete from callbacks.idempotency where (application, key) in (
     select application, key from callbacks.idempotency where application = $1 limit $2)`,
];

/**
 * Removes endpoints, subscriptions, retry policies, secrets, replays, mails with their recipients, settings of queues
 * and Idempotency-Keys.
 */
export async function removeSettings(
  tx: Transaction,
  application: string,
  { position, limit }: ErasingStep,
): Promise<ErasingProgress> {
  const table = Number(position ?? 0);
  const text = settings[table];
  if (text === undefined) return { position, done: true, scanned: 0, erased: 0 };
  const { rowCount } = await tx.query({ name: `callbacks_remove_settings_${table}`, text }, [
    application,
    limit,
  ]);
  const next = rowCount < limit ? table + 1 : table;
  return {
    position: String(next),
    done: next === settings.length,
    scanned: rowCount,
    erased: rowCount,
  };
}

/** Index: `waiting_pkey`. */
const waitingStatement: Statement = {
  name: 'callbacks_removal_waiting',
  text: `select callback_id as id, queue from callbacks.waiting where application = $1
    order by queue, seq limit $2`,
};

/** In the order in which intake and workers lock the heads of queues. */
const lockQueuesStatement: Statement = {
  name: 'callbacks_removal_queues',
  text: `select from callbacks.head where application = $1 and queue = any($2::text[])
    order by queue for no key update`,
};

const removeWaitingStatement: Statement = {
  name: 'callbacks_removal_remove_waiting',
  text: 'delete from callbacks.waiting where callback_id = any($1::uuid[]) returning callback_id as id',
};

/** Removes callbacks that wait behind the heads of queues. */
export async function removeWaiting(
  tx: Transaction,
  application: string,
  { limit }: ErasingStep,
): Promise<ErasingProgress> {
  const { rows } = await tx.query<{ id: string; queue: string }>(waitingStatement, [
    application,
    limit,
  ]);
  const queues = [...new Set(rows.map(({ queue }) => queue))];
  await tx.query(lockQueuesStatement, [application, queues]);
  // One that became a head before the lock is left to the next stage.
  const removed = await tx.query<{ id: string }>(removeWaitingStatement, [
    rows.map(({ id }) => id),
  ]);
  await removeRows(
    tx,
    removed.rows.map(({ id }) => id),
  );
  const done = rows.length < limit;
  return { position: undefined, done, scanned: rows.length, erased: removed.rowCount };
}

/** Removes callbacks with their heads and their history. */
export async function removeCallbacks(
  tx: Transaction,
  application: string,
  { position, limit }: ErasingStep,
): Promise<ErasingProgress> {
  const after = position ?? lowestId;
  const range = { application, after, before: highestId, limit };
  const { scanned, removed, next } = await removeAny(tx, range);
  const progress = { position: next, done: next === undefined, scanned, erased: removed };
  // A worker holds the lock on the head that the page began with, for as long as a statement takes.
  return next === after && removed === 0 ? { ...progress, waitMs: 100 } : progress;
}

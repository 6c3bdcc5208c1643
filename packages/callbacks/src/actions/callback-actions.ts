import { PlatformError, parseId } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';
import { findCallback } from '../lookup/read-store.js';
import {
  endLockedHead,
  type LockedHead,
  lockHead,
  lockQueueHead,
  makeDueNow,
} from '../queues/locked-head.js';
import { requeueCallbacks } from './requeue-store.js';

/** `cancelling`: an attempt is under way; if it fails, it is the last one. */
export type CancelOutcome = 'cancelled' | 'cancelling';

/**
 * Cancels a callback. What waits or is due is never sent, and its queue moves on. An attempt that
 * is under way cannot be taken back: when it succeeds the callback is delivered, else cancelled.
 * @throws PlatformError `CALLBACK_NOT_FOUND`; `CALLBACK_STATE` when it has ended
 */
export async function cancelCallback(db: Database, id: string): Promise<CancelOutcome> {
  const uuid = parseCallbackId(id);
  const outcome = await db.transaction((tx) => cancelIn(tx, uuid));
  if (outcome) return outcome;
  throw await stateError(db, uuid, 'has ended');
}

/** `undefined` when it is not alive. */
async function cancelIn(tx: Transaction, id: string): Promise<CancelOutcome | undefined> {
  const { application, queue } = await getPlace(tx, id);
  // Whoever moves a callback from waiting to head holds the lock on the head of its queue: with
  // that lock in hand it stays where it is.
  const head =
    queue === null ? await lockHead(tx, id) : await lockQueueHead(tx, application, queue);
  if (!head) return undefined;
  if (head.callbackId !== id) return (await cancelWaiting(tx, id)) ? 'cancelled' : undefined;
  // It has failed already, and its owner was told: what is left of it is its queue, to be unblocked.
  if (head.hold === 'parked') return undefined;
  if (head.leased) {
    await tx.query('update callbacks.head set cancelled = true where callback_id = $1', [id]);
    return 'cancelling';
  }
  await endLockedHead(tx, head, 'cancelled');
  return 'cancelled';
}

const placeStatement: Statement = {
  name: 'callbacks_place',
  text: 'select application, queue from callbacks.request where id = $1',
};

interface Place {
  readonly application: string;
  readonly queue: string | null;
}

async function getPlace(db: Queryable, id: string): Promise<Place> {
  const [place] = (await db.query<Place>(placeStatement, [id])).rows;
  if (place) return place;
  throw notFound(id);
}

const cancelWaitingStatement: Statement = {
  name: 'callbacks_cancel_waiting',
  text: `
with removed as (
  delete from callbacks.waiting where callback_id = $1 returning callback_id, step
)
insert into callbacks.history (callback_id, step, ending)
select callback_id, step + 1, 'cancelled' from removed`,
};

/** Whether it was waiting. The caller holds the lock on the head of its queue. */
async function cancelWaiting(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.query(cancelWaitingStatement, [id])).rowCount > 0;
}

/**
 * Makes a callback that waits for its time due now. One that is due already stays as it is.
 * @throws PlatformError `CALLBACK_NOT_FOUND`; `CALLBACK_STATE` when it has ended, is being
 *   attempted, is held, or waits behind another one
 */
export async function retryNow(db: Database, id: string): Promise<void> {
  const uuid = parseCallbackId(id);
  const refusal = await db.transaction(async (tx) => {
    const head = await lockHead(tx, uuid);
    if (!head) return 'is not the next of its queue, or has ended';
    if (head.leased) return 'is being attempted now';
    if (head.hold) return `is held: ${holdReasons[head.hold]}`;
    if (!head.ready) await makeDueNow(tx, head, false);
    return undefined;
  });
  if (refusal) throw await stateError(db, uuid, refusal);
}

const holdReasons: Record<NonNullable<LockedHead['hold']>, string> = {
  paused: 'its queue is paused; resume it',
  parked: 'its queue is parked; unblock it',
  endpoint: 'its endpoint takes nothing now; activate it',
};

/**
 * Delivers a callback that has ended once more: with the same id, at the end of its queue, its
 * policy starting again. Times that count from its acceptance, such as the policy's maximum age,
 * go on.
 * @throws PlatformError `CALLBACK_NOT_FOUND`; `CALLBACK_STATE` when it has not ended, or its
 *   `expiresAt` is over
 */
export async function replayCallback(db: Database, id: string): Promise<void> {
  const uuid = parseCallbackId(id);
  const [outcome] = await db.transaction((tx) => requeueCallbacks(tx, [uuid]));
  if (outcome?.kind === 'revived') return;
  const refusal =
    outcome?.kind === 'expired'
      ? 'is past its expiresAt, which a replay does not change; send it as a new one'
      : 'has not ended, or is being replayed';
  throw await stateError(db, uuid, refusal);
}

function parseCallbackId(id: string): string {
  const uuid = parseId(id);
  if (uuid === undefined) throw notFound(id);
  return uuid;
}

function notFound(id: string): PlatformError {
  return new PlatformError('CALLBACK_NOT_FOUND', `no callback ${id}`);
}

/** With the state that it is in by now, which may explain more than the refusal. */
async function stateError(db: Database, id: string, refusal: string): Promise<PlatformError> {
  const callback = await findCallback(db, id);
  if (!callback) return notFound(id);
  const { state } = callback;
  return new PlatformError('CALLBACK_STATE', `callback ${id} ${refusal} (${state})`, {
    details: { state },
  });
}

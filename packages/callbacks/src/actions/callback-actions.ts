import {
  type Applications,
  PlatformError,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
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

/** Result of a cancel. `cancelling`: the running attempt is the last one, also if it fails. */
export type CancelOutcome = 'cancelled' | 'cancelling';

/**
 * Cancels a callback. A callback that waits or is due is never sent, and its queue moves on. A
 * running attempt cannot be stopped: if it succeeds, the callback is delivered, else cancelled.
 * @throws PlatformError `CALLBACK_NOT_FOUND`; `CALLBACK_STATE` when it has ended
 */
export async function cancelCallback(
  db: Database,
  id: string,
  within: Applications,
): Promise<CancelOutcome> {
  const key: CallbackKey = { id: parseCallbackId(id), within };
  const outcome = await db.transaction((tx) => cancelIn(tx, key));
  if (outcome) return outcome;
  throw await stateError(db, key, 'has ended');
}

/** A callback, and the applications that the caller may change. */
interface CallbackKey {
  readonly id: string;
  readonly within: Applications;
}

/** Cancels a callback in a transaction; `undefined` when it has ended. */
async function cancelIn(tx: Transaction, key: CallbackKey): Promise<CancelOutcome | undefined> {
  const { id } = key;
  const { application, queue } = await getQueueColumns(tx, key);
  // A callback moves from waiting to head only under the lock on the head of its queue. While this
  // transaction holds that lock, the callback stays where it is.
  const head =
    queue === null ? await lockHead(tx, id) : await lockQueueHead(tx, application, queue);
  if (!head) return undefined;
  if (head.callbackId !== id) return (await cancelWaiting(tx, id)) ? 'cancelled' : undefined;
  // It has failed already, and its owner was notified: only its queue is left, to be unblocked.
  if (head.hold === 'parked') return undefined;
  if (head.leased) {
    await tx.query('update callbacks.head set cancelled = true where callback_id = $1', [id]);
    return 'cancelling';
  }
  await endLockedHead(tx, head, 'cancelled');
  return 'cancelled';
}

const queueStatement: Statement = {
  name: 'callbacks_queue_of',
  text: `select application, queue from callbacks.request
    where id = $1 and ($2::text[] is null or application = any($2))`,
};

interface QueueColumns {
  readonly application: string;
  readonly queue: string | null;
}

/** @throws PlatformError `CALLBACK_NOT_FOUND`, also for a callback of another application */
async function getQueueColumns(db: Queryable, { id, within }: CallbackKey): Promise<QueueColumns> {
  const values = [id, toApplicationColumn(within)];
  const [columns] = (await db.query<QueueColumns>(queueStatement, values)).rows;
  if (columns) return columns;
  throw callbackNotFound(id);
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

/**
 * Cancels a callback that waits behind the head; false when it does not wait. The caller holds the
 * lock on the head of its queue.
 */
async function cancelWaiting(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.query(cancelWaitingStatement, [id])).rowCount > 0;
}

/**
 * Makes a callback that is scheduled for later due now. A callback that is due already stays as
 * it is.
 * @throws PlatformError `CALLBACK_NOT_FOUND`; `CALLBACK_STATE` when it has ended, is being
 *   attempted, is held, or waits behind another callback of its queue
 */
export async function retryNow(db: Database, id: string, within: Applications): Promise<void> {
  const key: CallbackKey = { id: parseCallbackId(id), within };
  const refusal = await db.transaction(async (tx) => {
    await getQueueColumns(tx, key);
    const head = await lockHead(tx, key.id);
    if (!head) return 'waits behind another callback of its queue, or has ended';
    if (head.leased) return 'is being attempted now';
    if (head.hold) return `is held: ${holdReasons[head.hold]}`;
    if (!head.ready) await makeDueNow(tx, head, false);
    return undefined;
  });
  if (refusal) throw await stateError(db, key, refusal);
}

const holdReasons: Record<NonNullable<LockedHead['hold']>, string> = {
  paused: 'its queue is paused; resume it',
  parked: 'its queue is parked; unblock it',
  endpoint: 'its endpoint is paused or disabled; resume or enable it',
};

/**
 * Delivers a callback that has ended once more: with the same id, at the end of its queue. Its
 * retry policy starts again. Times that count from its acceptance, such as the policy's maximum
 * age, do not start again.
 * @throws PlatformError `CALLBACK_NOT_FOUND`; `CALLBACK_STATE` when it has not ended, or its
 *   `expiresAt` is in the past
 */
export async function replayCallback(
  db: Database,
  id: string,
  within: Applications,
): Promise<void> {
  const key: CallbackKey = { id: parseCallbackId(id), within };
  const [outcome] = await db.transaction(async (tx) => {
    await getQueueColumns(tx, key);
    return requeueCallbacks(tx, [key.id]);
  });
  if (outcome?.kind === 'requeued') return;
  throw await stateError(db, key, replayRefusals[outcome?.kind ?? 'alive']);
}

const replayRefusals = {
  expired: 'is past its expiresAt, which a replay does not change; send a new callback',
  erased: 'cannot be sent again, because its payload was erased; send a new callback',
  alive: 'has not ended, or is being replayed',
} as const;

function parseCallbackId(id: string): string {
  const uuid = parseId(id);
  if (uuid === undefined) throw callbackNotFound(id);
  return uuid;
}

function callbackNotFound(id: string): PlatformError {
  return new PlatformError('CALLBACK_NOT_FOUND', `there is no callback ${id}`);
}

/** Returns the error of a refused action, with the callback's state in message and details. */
async function stateError(
  db: Database,
  { id, within }: CallbackKey,
  refusal: string,
): Promise<PlatformError> {
  const callback = await findCallback(db, id, within);
  if (!callback) return callbackNotFound(id);
  const { state } = callback;
  return new PlatformError('CALLBACK_STATE', `callback ${id} ${refusal} (${state})`, {
    details: { state },
  });
}

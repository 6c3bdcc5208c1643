import { parseId } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';
import { endLockedHead, type LockedHead, lockQueueHead, makeDueNow } from './locked-head.js';
import { checkQueueKey, type QueueKey, queueError } from './queue-key.js';
import { getQueue, type OnFailure } from './queues.js';

/**
 * Changes the settings of a queue: a row of the table `queue`, which exists only while they differ
 * from the default. Pausing and resuming lock first the settings and then the head, so a
 * transaction that holds the lock on a head sees the present settings. Only intake, which inserts
 * the first head of an empty queue, can miss a change that commits at the same moment;
 * `reconcileQueues` repairs that.
 */
const changeStatement: Statement = {
  name: 'callbacks_queue_change',
  text: `
insert into callbacks.queue (application, queue, paused, on_failure)
values ($1, $2, coalesce($3, false), coalesce($4, 'skip'))
on conflict (application, queue) do update
set paused = coalesce($3, queue.paused), on_failure = coalesce($4, queue.on_failure),
    updated_at = now()`,
};

const forgetStatement: Statement = {
  name: 'callbacks_queue_forget',
  text: `delete from callbacks.queue
    where application = $1 and queue = $2 and not paused and on_failure = 'skip'`,
};

const holdStatement: Statement = {
  name: 'callbacks_queue_hold',
  text: `update callbacks.head set hold = 'paused', ready = false
    where application = $1 and queue = $2 and hold is null and lease_token is null`,
};

const releaseStatement: Statement = {
  name: 'callbacks_queue_release',
  text: `
with released as (
  update callbacks.head set hold = null, ready = due_at <= now()
  where application = $1 and queue = $2 and hold = 'paused'
  returning ready
)
select pg_notify('callbacks_due', '') from released where ready`,
};

/** Queue to pause or to resume. */
export interface PauseRequest extends QueueKey {
  /** True refuses a queue that has neither callbacks nor settings. Default: false. */
  readonly mustExist?: boolean | undefined;
}

/**
 * Pauses a queue: a running attempt finishes, no other starts. A queue that is still empty can be
 * paused too, unless it must exist. Pausing a paused queue changes nothing.
 * @throws PlatformError `CALLBACK_INVALID` for an invalid name, `QUEUE_NOT_FOUND`
 */
export async function pauseQueue(db: Database, key: PauseRequest): Promise<void> {
  checkQueueKey(key);
  await db.transaction(async (tx) => {
    if (key.mustExist) await getQueue(tx, key);
    await changeSettings(tx, key, { paused: true });
    // Locked also while it is leased, so that recording the result sees the pause.
    await lockQueueHead(tx, key.application, key.queue);
    await tx.query(holdStatement, [key.application, key.queue]);
  });
}

/**
 * Resumes a paused queue. A queue that is not paused stays as it is, and so does a parked one.
 * @throws PlatformError `CALLBACK_INVALID` for an invalid name, `QUEUE_NOT_FOUND`
 */
export async function resumeQueue(db: Database, key: PauseRequest): Promise<void> {
  checkQueueKey(key);
  await db.transaction(async (tx) => {
    if (key.mustExist) await getQueue(tx, key);
    await changeSettings(tx, key, { paused: false });
    await lockQueueHead(tx, key.application, key.queue);
    await tx.query(releaseStatement, [key.application, key.queue]);
    await tx.query(forgetStatement, [key.application, key.queue]);
  });
}

/**
 * Sets the policy for heads that fail for good from now on. A parked queue stays parked.
 * @throws PlatformError `CALLBACK_INVALID` for an invalid name
 */
export async function setQueuePolicy(
  db: Database,
  key: QueueKey,
  onFailure: OnFailure,
): Promise<void> {
  checkQueueKey(key);
  await db.transaction(async (tx) => {
    await changeSettings(tx, key, { onFailure });
    await tx.query(forgetStatement, [key.application, key.queue]);
  });
}

interface SettingsChange {
  readonly paused?: boolean;
  readonly onFailure?: OnFailure;
}

async function changeSettings(
  tx: Transaction,
  { application, queue }: QueueKey,
  { paused, onFailure }: SettingsChange,
): Promise<void> {
  await tx.query(changeStatement, [application, queue, paused ?? null, onFailure ?? null]);
}

/** Queue to unblock, and the way to do it. */
export interface UnblockRequest extends QueueKey {
  /**
   * - `retry`: the head is attempted now. The policy of a parked head starts again.
   * - `skip`: the head ends and the next callback follows. A parked head keeps its ending. A head
   *   that is scheduled or held ends as `cancelled`, because an operator decided to end it.
   */
  readonly mode: 'retry' | 'skip';
  /** Id that the head must have, else the request is refused. Default: any. */
  readonly headId?: string | undefined;
}

/**
 * Unblocks a queue whose head blocks it.
 * @returns the id of that head
 * @throws PlatformError `QUEUE_NOT_FOUND` when the queue is empty; `QUEUE_STATE` when its head does
 *   not block it, or blocks it in a way that the mode cannot change; `CALLBACK_INVALID` for an
 *   invalid name
 */
export async function unblockQueue(db: Database, request: UnblockRequest): Promise<string> {
  const { application, queue, mode, headId } = request;
  checkQueueKey(request);
  return db.transaction(async (tx) => {
    const head = await lockQueueHead(tx, application, queue);
    if (!head) {
      throw queueError('QUEUE_NOT_FOUND', request, 'is empty; there is nothing to unblock');
    }
    const { callbackId } = head;
    if (headId !== undefined && parseId(headId) !== callbackId) {
      throw queueError('QUEUE_STATE', request, `has another head by now, ${callbackId}`);
    }
    if (head.leased) {
      throw queueError('QUEUE_STATE', request, 'is not blocked: its head is being attempted now');
    }
    if (head.ready) throw queueError('QUEUE_STATE', request, 'is not blocked: its head is due');
    if (mode === 'skip') {
      await endLockedHead(tx, head, head.hold === 'parked' ? undefined : 'cancelled');
    } else {
      await retryHead(tx, head, request);
    }
    return callbackId;
  });
}

async function retryHead(tx: Transaction, head: LockedHead, key: QueueKey): Promise<void> {
  if (head.hold === 'paused') throw queueError('QUEUE_STATE', key, 'is paused: resume it');
  if (head.hold === 'endpoint') {
    throw queueError(
      'QUEUE_STATE',
      key,
      'waits for an endpoint that is not active: resume or enable it',
    );
  }
  if (await isExpired(tx, head.callbackId)) {
    throw queueError('QUEUE_STATE', key, 'has a head that is past its expiresAt: skip it');
  }
  await makeDueNow(tx, head, head.hold === 'parked');
}

async function isExpired(tx: Transaction, callbackId: string): Promise<boolean> {
  const { rows } = await tx.query(
    'select from callbacks.request where id = $1 and expires_at <= now()',
    [callbackId],
  );
  return rows.length > 0;
}

/**
 * Restores the rule that a head is held as paused exactly while its queue is paused, in both
 * directions: one probe per paused queue (`queue_paused`), and one per held head (`head_held`).
 * Rows that are locked at this moment are left to the next call.
 */
const reconcileStatement: Statement = {
  name: 'callbacks_reconcile_queues',
  text: `
with to_hold as (
  select h.callback_id
  from callbacks.queue q
  join callbacks.head h on h.application = q.application and h.queue = q.queue
  where q.paused and h.hold is null and h.lease_token is null
  for no key update of h skip locked
),
held as (
  update callbacks.head h set hold = 'paused', ready = false
  from to_hold where h.callback_id = to_hold.callback_id
),
to_release as (
  select h.callback_id from callbacks.head h
  where h.hold = 'paused' and h.queue is not null and not exists (
    select from callbacks.queue q
    where q.application = h.application and q.queue = h.queue and q.paused
  )
  for no key update of h skip locked
),
released as (
  update callbacks.head h set hold = null, ready = due_at <= now()
  from to_release where h.callback_id = to_release.callback_id
  returning h.ready
)
select (select count(*)::int from to_hold) as held,
  (select count(*)::int from released) as released,
  case when exists (select from released where ready) then pg_notify('callbacks_due', '') end
    as notified`,
};

/** Numbers of heads that {@link reconcileQueues} changed. */
export interface ReconcileResult {
  /** Heads that were not held although their queue is paused. */
  readonly held: number;
  /** Heads that were held although their queue is not paused. */
  readonly released: number;
}

/**
 * Repairs heads that intake inserted while their queue was being paused or resumed. For
 * housekeeping, to be called every few seconds.
 */
export async function reconcileQueues(db: Queryable): Promise<ReconcileResult> {
  const { rows } = await db.query<ReconcileResult>(reconcileStatement);
  return { held: rows[0]?.held ?? 0, released: rows[0]?.released ?? 0 };
}

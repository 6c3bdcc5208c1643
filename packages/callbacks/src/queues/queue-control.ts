import { PlatformError, parseId } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';
import { withApplication } from '../application-name.js';
import { endLockedHead, type LockedHead, lockQueueHead, makeDueNow } from './locked-head.js';
import { checkQueueKey, type OnFailure, type QueueKey } from './queues.js';

/**
 * The settings of a queue are a row of the table `queue`, there only while they differ from the
 * default. Whoever holds the lock on a head sees them as they are: pausing and resuming lock the
 * settings first and then the head. Only intake, which makes the first head of an empty queue, can
 * miss a change that is committed at the same moment; `reconcileQueues` mends that.
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

/**
 * Stops a queue: what is under way is finished, nothing else starts. Takes a queue in which nothing
 * is yet, too. Pausing a paused one changes nothing.
 * @throws PlatformError `CALLBACK_INVALID` for a name that no queue can have
 */
export async function pauseQueue(db: Database, key: QueueKey): Promise<void> {
  checkQueueKey(key);
  await db.transaction(async (tx) => {
    await change(tx, key, true, null);
    // Locked even while it is leased: the result is then recorded with the pause in sight.
    await lockQueueHead(tx, key.application, key.queue);
    await tx.query(holdStatement, [key.application, key.queue]);
  });
}

/**
 * Lets a paused queue go on. Resuming one that is not paused changes nothing; one that is parked
 * stays so.
 * @throws PlatformError `CALLBACK_INVALID` for a name that no queue can have
 */
export async function resumeQueue(db: Database, key: QueueKey): Promise<void> {
  checkQueueKey(key);
  await db.transaction(async (tx) => {
    await change(tx, key, false, null);
    await lockQueueHead(tx, key.application, key.queue);
    await tx.query(releaseStatement, [key.application, key.queue]);
    await tx.query(forgetStatement, [key.application, key.queue]);
  });
}

/**
 * Says what happens from now on when a head fails for good. A queue that is parked stays so.
 * @throws PlatformError `CALLBACK_INVALID` for a name that no queue can have
 */
export async function setQueuePolicy(
  db: Database,
  key: QueueKey,
  onFailure: OnFailure,
): Promise<void> {
  checkQueueKey(key);
  await db.transaction(async (tx) => {
    await change(tx, key, null, onFailure);
    await tx.query(forgetStatement, [key.application, key.queue]);
  });
}

async function change(
  tx: Transaction,
  { application, queue }: QueueKey,
  paused: boolean | null,
  onFailure: OnFailure | null,
): Promise<void> {
  await tx.query(changeStatement, [application, queue, paused, onFailure]);
}

export interface Unblock extends QueueKey {
  /**
   * - `retry`: the head is attempted now; a parked one starts its policy afresh.
   * - `skip`: the head ends and the next one follows. A parked one keeps its ending; one that waits
   *   for its time, or is held, ends as `cancelled`, because it was somebody's decision.
   */
  readonly mode: 'retry' | 'skip';
  /** Refused when the head is another callback by now. Absent: whichever it is. */
  readonly headId?: string | undefined;
}

/**
 * Sets a queue going whose head blocks it. Gives the id of that head.
 * @throws PlatformError `QUEUE_NOT_FOUND` when nothing is in the queue; `QUEUE_STATE` when its head
 *   does not block it, or is what the mode cannot help; `CALLBACK_INVALID` for an impossible name
 */
export async function unblockQueue(db: Database, unblock: Unblock): Promise<string> {
  const { application, queue, mode, headId } = unblock;
  checkQueueKey(unblock);
  return db.transaction(async (tx) => {
    const head = await lockQueueHead(tx, application, queue);
    if (!head) {
      const of = application === '' ? '' : ` of ${application}`;
      throw new PlatformError('QUEUE_NOT_FOUND', `nothing is in queue ${queue}${of}`);
    }
    const { callbackId } = head;
    if (headId !== undefined && parseId(headId) !== callbackId) {
      throw queueState(unblock, `has another head by now, ${callbackId}`);
    }
    if (head.leased) throw queueState(unblock, 'is not blocked: its head is being attempted now');
    if (head.ready) throw queueState(unblock, 'is not blocked: its head is due');
    if (mode === 'skip') {
      await endLockedHead(tx, head, head.hold === 'parked' ? undefined : 'cancelled');
    } else {
      await retryHead(tx, head, unblock);
    }
    return callbackId;
  });
}

async function retryHead(tx: Transaction, head: LockedHead, key: QueueKey): Promise<void> {
  if (head.hold === 'paused') throw queueState(key, 'is paused: resume it');
  if (head.hold === 'endpoint') throw queueState(key, 'waits for its endpoint: activate that');
  if (await isExpired(tx, head.callbackId)) {
    throw queueState(key, 'has a head that is past its expiresAt: skip it');
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
 * Both directions of "a head is held as paused exactly while its queue is": one probe for each
 * queue that is paused (`queue_paused`), one for each head that is held (`head_held`). What is
 * locked right now is left for the next time.
 */
const reconcileStatement: Statement = {
  name: 'callbacks_reconcile_queues',
  text: `
with loose as (
  select h.callback_id
  from callbacks.queue q
  join callbacks.head h on h.application = q.application and h.queue = q.queue
  where q.paused and h.hold is null and h.lease_token is null
  for no key update of h skip locked
),
held as (
  update callbacks.head h set hold = 'paused', ready = false
  from loose where h.callback_id = loose.callback_id
),
stuck as (
  select h.callback_id from callbacks.head h
  where h.hold = 'paused' and h.queue is not null and not exists (
    select from callbacks.queue q
    where q.application = h.application and q.queue = h.queue and q.paused
  )
  for no key update of h skip locked
),
released as (
  update callbacks.head h set hold = null, ready = due_at <= now()
  from stuck where h.callback_id = stuck.callback_id
  returning h.ready
)
select (select count(*)::int from loose) as held, (select count(*)::int from released) as released,
  case when exists (select from released where ready) then pg_notify('callbacks_due', '') end
    as notified`,
};

export interface Reconciled {
  /** Heads that were loose though their queue is paused. */
  readonly held: number;
  /** Heads that were held though their queue is not paused. */
  readonly released: number;
}

/** Mends what pausing, resuming and intake at the same moment leave; for housekeeping, every few seconds. */
export async function reconcileQueues(db: Queryable): Promise<Reconciled> {
  const { rows } = await db.query<Reconciled>(reconcileStatement);
  return { held: rows[0]?.held ?? 0, released: rows[0]?.released ?? 0 };
}

function queueState({ application, queue }: QueueKey, message: string): PlatformError {
  return new PlatformError(
    'QUEUE_STATE',
    `${withApplication(`queue ${queue}`, application)} ${message}`,
  );
}

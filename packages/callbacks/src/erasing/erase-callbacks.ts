import type { Statement, Transaction } from '@posthaste/postgres';
import { endLockedHead } from '../queues/locked-head.js';

/** Result of {@link eraseCallbacks}. */
export interface ErasedCallbacks {
  readonly erased: number;
  /** Callbacks that are not delivered yet and were left as they are. */
  readonly kept: number;
  /** Callbacks whose running attempt must end first. It is their last one. */
  readonly busy: number;
}

/** A replay locks requests in the same way: it comes before or after, and not in between. */
const lockStatement: Statement = {
  name: 'callbacks_erase_lock',
  text: `select id, application, queue from callbacks.request
    where id = any($1::uuid[]) and erased_at is null order by id for no key update`,
};

/** In the order in which intake and workers lock the heads of queues. */
const lockQueuesStatement: Statement = {
  name: 'callbacks_erase_lock_queues',
  text: `
select from callbacks.head h
where (h.application, h.queue) in (select * from unnest($1::text[], $2::text[]))
order by h.application, h.queue for no key update`,
};

/** Heads without a queue are not waited for: workers lock them in any order. */
const lockHeadsStatement: Statement = {
  name: 'callbacks_erase_lock_heads',
  text: `select from callbacks.head where callback_id = any($1::uuid[]) and queue is null
    for no key update skip locked`,
};

const headsStatement: Statement = {
  name: 'callbacks_erase_heads',
  text: `
select h.callback_id, h.application, h.queue, h.step, h.ready, h.hold, h.lease_token is not null as leased
from callbacks.head h where h.callback_id = any($1::uuid[]) for no key update skip locked`,
};

const liveStatement: Statement = {
  name: 'callbacks_erase_live',
  text: `
select callback_id as id from callbacks.head where callback_id = any($1::uuid[])
union all
select callback_id from callbacks.waiting where callback_id = any($1::uuid[])`,
};

const cancelWaitingStatement: Statement = {
  name: 'callbacks_erase_cancel_waiting',
  text: `
with removed as (
  delete from callbacks.waiting where callback_id = any($1::uuid[]) returning callback_id, step
)
insert into callbacks.history (callback_id, step, ending)
select callback_id, step + 1, 'cancelled' from removed`,
};

/** The query of a URL holds values and secrets too. */
const eraseRequestsStatement: Statement = {
  name: 'callbacks_erase_requests',
  text: `
update callbacks.request set body = null, headers = null, notification_email = null,
  url = regexp_replace(url, '[?#].*$', ''), erased_at = now()
where id = any($1::uuid[]) and id >= $2 and id <= $3`,
};

const eraseHistoryStatement: Statement = {
  name: 'callbacks_erase_history',
  text: `
update callbacks.history set response_body = null, response_headers = null, detail = null
where callback_id = any($1::uuid[]) and callback_id >= $2 and callback_id <= $3
  and num_nonnulls(response_body, response_headers, detail) > 0`,
};

interface RequestRow {
  readonly id: string;
  readonly application: string;
  readonly queue: string | null;
}

interface HeadRow {
  readonly callback_id: string;
  readonly application: string;
  readonly queue: string | null;
  readonly step: number;
  readonly ready: boolean;
  readonly hold: 'paused' | 'parked' | 'endpoint' | null;
  readonly leased: boolean;
}

/**
 * Erases body, headers and query of callbacks, and what their receivers answered. Those that are not
 * delivered yet are cancelled first, or left with `keep`. Whatever is erased already is passed over.
 */
export async function eraseCallbacks(
  tx: Transaction,
  candidates: readonly string[],
  undelivered: 'cancel' | 'keep',
): Promise<ErasedCallbacks> {
  if (candidates.length === 0) return { erased: 0, kept: 0, busy: 0 };
  const { rows } = await tx.query<RequestRow>(lockStatement, [candidates]);
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return { erased: 0, kept: 0, busy: 0 };
  await lockLive(tx, rows);
  if (undelivered === 'cancel') await cancel(tx, ids);
  const live = new Set(
    (await tx.query<{ id: string }>(liveStatement, [ids])).rows.map((r) => r.id),
  );
  const ended = ids.filter((id) => !live.has(id));
  await erase(tx, ended);
  const left = undelivered === 'keep' ? { kept: live.size, busy: 0 } : { kept: 0, busy: live.size };
  return { erased: ended.length, ...left };
}

async function lockLive(tx: Transaction, requests: readonly RequestRow[]): Promise<void> {
  const ordered = requests.filter(({ queue }) => queue !== null);
  await tx.query(lockQueuesStatement, [
    ordered.map(({ application }) => application),
    ordered.map(({ queue }) => queue),
  ]);
  await tx.query(lockHeadsStatement, [requests.map(({ id }) => id)]);
}

/** Ends what waits and what is due. A head that is leased makes no further attempt. */
async function cancel(tx: Transaction, ids: readonly string[]): Promise<void> {
  // First those that wait: the end of a head makes the next one of its queue the head.
  await tx.query(cancelWaitingStatement, [ids]);
  const { rows } = await tx.query<HeadRow>(headsStatement, [ids]);
  const leased = rows.filter((row) => row.leased).map((row) => row.callback_id);
  await tx.query('update callbacks.head set cancelled = true where callback_id = any($1::uuid[])', [
    leased,
  ]);
  for (const row of rows) {
    // A parked head has failed already, and keeps that ending.
    if (!row.leased)
      await endLockedHead(tx, toLockedHead(row), row.hold === 'parked' ? undefined : 'cancelled');
  }
}

function toLockedHead(row: HeadRow): Parameters<typeof endLockedHead>[1] {
  const { application, queue, step, leased, ready } = row;
  return {
    callbackId: row.callback_id,
    queue: queue === null ? undefined : { application, name: queue },
    step,
    leased,
    ready,
    hold: row.hold ?? undefined,
  };
}

/** Ids are bounded too, so that only the partitions of their days are looked at. */
async function erase(tx: Transaction, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const sorted = [...ids].sort();
  const values = [sorted, sorted[0], sorted.at(-1)];
  await tx.query(eraseHistoryStatement, values);
  await tx.query(eraseRequestsStatement, values);
}

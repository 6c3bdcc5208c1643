import type { Queryable, Statement, Transaction } from '@posthaste/postgres';

/** Ids are bounded too, so that only the partitions of their days are looked at. */
const removeHistoryStatement: Statement = {
  name: 'callbacks_remove_history',
  text: `delete from callbacks.history
    where callback_id = any($1::uuid[]) and callback_id >= $2 and callback_id <= $3`,
};

const removeRequestsStatement: Statement = {
  name: 'callbacks_remove_requests',
  text: 'delete from callbacks.request where id = any($1::uuid[]) and id >= $2 and id <= $3',
};

/** Deletes callbacks that are neither in `head` nor in `waiting`, with their history. */
export async function removeRows(tx: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const sorted = [...ids].sort();
  const values = [sorted, sorted[0], sorted.at(-1)];
  await tx.query(removeHistoryStatement, values);
  await tx.query(removeRequestsStatement, values);
}

/**
 * Index: `request_application`. Rows that a replay or a retention has locked are left. `$3` and `$4`
 * bound the ids, both exclusive.
 */
const pageStatement: Statement = {
  name: 'callbacks_removal_page',
  text: `
select r.id from callbacks.request r
where r.application = $1 and r.id > $2 and r.id < $3
order by r.id limit $4
for update skip locked`,
};

const lockHeadsStatement: Statement = {
  name: 'callbacks_removal_heads',
  text: `select callback_id as id, queue from callbacks.head where callback_id = any($1::uuid[])
    for update skip locked`,
};

/** Callbacks of a page that are alive: in `waiting`, or in `head`. */
const aliveStatement: Statement = {
  name: 'callbacks_removal_alive',
  text: `
select callback_id as id, true as is_head from callbacks.head where callback_id = any($1::uuid[])
union all
select callback_id, false from callbacks.waiting where callback_id = any($1::uuid[])`,
};

const behindStatement: Statement = {
  name: 'callbacks_removal_behind',
  text: `delete from callbacks.waiting where application = $1 and queue = any($2::text[])
    returning callback_id as id`,
};

interface Id {
  readonly id: string;
}

/** Range of callbacks of an application. Both bounds are exclusive. */
export interface RemovalRange {
  readonly application: string;
  readonly after: string;
  readonly before: string;
  readonly limit: number;
}

/** Result of the removal of one page. */
export interface RemovedPage {
  readonly scanned: number;
  readonly removed: number;
  /** Id after which the next page begins; `undefined` when there is none. */
  readonly next: string | undefined;
}

/**
 * Removes callbacks that have ended, the oldest first. Those that are alive are passed over. A
 * replay locks the request first: one that came before is seen by the second statement.
 */
export async function removeEnded(tx: Transaction, range: RemovalRange): Promise<RemovedPage> {
  const ids = await lockPage(tx, range);
  const alive = await findAlive(tx, ids);
  const ended = ids.filter((id) => !alive.has(id));
  await removeRows(tx, ended);
  return toPage(ids, { removed: ended.length, limit: range.limit });
}

/**
 * Removes callbacks whatever their state, the oldest first, with their heads. Expects that nothing
 * waits behind the heads, but what was accepted in the meantime: that goes with the head, so that no
 * queue is ever left without one. A head that a worker has locked at this moment is left: the next
 * page begins at it.
 */
export async function removeAny(tx: Transaction, range: RemovalRange): Promise<RemovedPage> {
  const ids = await lockPage(tx, range);
  if (ids.length === 0) return toPage(ids, { removed: 0, limit: range.limit });
  const { rows: heads } = await tx.query<Id & { queue: string | null }>(lockHeadsStatement, [ids]);
  const queues = heads.flatMap(({ queue }) => queue ?? []);
  const behind =
    queues.length === 0
      ? []
      : (await tx.query<Id>(behindStatement, [range.application, queues])).rows;
  await tx.query('delete from callbacks.head where callback_id = any($1::uuid[])', [
    heads.map(({ id }) => id),
  ]);
  const left = await findAlive(tx, ids);
  const gone = new Set([...ids.filter((id) => !left.has(id)), ...behind.map(({ id }) => id)]);
  await removeRows(tx, [...gone]);
  // What waits behind a head that is not of this page is left to the next run of all stages.
  const firstLeft = ids.findIndex((id) => left.get(id) === 'head');
  const page = toPage(ids, { removed: gone.size, limit: range.limit });
  return firstLeft < 0 ? page : { ...page, next: ids[firstLeft - 1] ?? range.after };
}

async function lockPage(
  tx: Transaction,
  { application, after, before, limit }: RemovalRange,
): Promise<string[]> {
  const { rows } = await tx.query<Id>(pageStatement, [application, after, before, limit]);
  return rows.map(({ id }) => id);
}

async function findAlive(
  tx: Transaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, 'head' | 'waiting'>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Id & { is_head: boolean }>(aliveStatement, [ids]);
  return new Map(rows.map(({ id, is_head }) => [id, is_head ? 'head' : 'waiting']));
}

function toPage(
  ids: readonly string[],
  { removed, limit }: { readonly removed: number; readonly limit: number },
): RemovedPage {
  const next = ids.length === limit ? ids.at(-1) : undefined;
  return { scanned: ids.length, removed, next };
}

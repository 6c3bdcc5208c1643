import type { CallbackFilter } from './callback-filter.js';

/** Order of a scan, by id. */
export type ScanOrder = 'newest' | 'oldest';

/** Name of a source of a scan. Those of a caller for some applications begin with `own`. */
export type SourceName =
  | 'all'
  | 'application'
  | 'queue'
  | 'endpoint'
  | 'ended'
  | 'heads'
  | 'queueHead'
  | 'waiting'
  | 'own'
  | 'ownQueues'
  | 'ownQueueHeads'
  | 'ownEndpoint';

/** Source of a scan, with the values of its parameters from `$4` on. */
export interface ChosenSource {
  readonly name: SourceName;
  readonly keys: readonly unknown[];
}

/*
 * Sources of a scan. Each gives ids in order, at most as many as asked for. The rest of the filter
 * is applied row by row. `$1` and `$2` are the bounds of the ids, `$3` is the limit.
 *
 * For a caller who may see all applications:
 *
 * | filter | source | index |
 * |---|---|---|
 * | pending, leased or held, with application and queue | `queueHead` | `head_queue`, one row |
 * | pending, leased or held | `heads` | primary key of `head`, which has no finished callbacks |
 * | waiting, with application and queue | `queue` | `request_queue`: the newest of a queue wait |
 * | waiting | `waiting` | `waiting_callback` |
 * | endpoint | `endpoint` | `request_endpoint` |
 * | application and queue | `queue` | `request_queue` |
 * | failed, expired or cancelled | `ended` | `history_not_delivered` |
 * | application | `application` | `request_application` |
 * | host, status code, delivered, queue alone, times, nothing | `all` | primary key of `request` |
 *
 * For a caller who may see some applications (`$4`), a source has only their rows: rows of others
 * that are read and left out would show in the time of an answer, in its cursor and in the progress
 * of a replay.
 *
 * | filter | source | index |
 * |---|---|---|
 * | pending, leased or held, with queue | `ownQueueHeads` | `head_queue`, one row per application |
 * | endpoint | `ownEndpoint` | `request_endpoint`, once for its application |
 * | queue | `ownQueues` | `request_queue` |
 * | any other | `own` | `request_application` |
 *
 * These merge the first rows of each application: a scan for `n` rows reads at most `n` entries of
 * the index for each, and scans fewer rows the more there are (callback-scan.ts). A condition
 * `application = any($4)` alone would sort everything they have.
 */
const sources: Readonly<Record<SourceName, (direction: 'asc' | 'desc') => string>> = {
  all: () => 'select r.id from callbacks.request r where r.id > $1 and r.id < $2',
  application: () => `select r.id from callbacks.request r
    where r.application = $4 and r.id > $1 and r.id < $2`,
  queue: () => `select r.id from callbacks.request r
    where r.application = $4 and r.queue = $5 and r.id > $1 and r.id < $2`,
  endpoint: () => `select r.id from callbacks.request r
    where r.endpoint_id = $4 and r.id > $1 and r.id < $2`,
  // Distinct, because a callback can fail again after a replay. The condition with the literal
  // repeats the one of the partial index: a plan that does not know $4 could not use it otherwise.
  ended: () => `select distinct y.callback_id as id from callbacks.history y
    where y.ending = $4 and y.ending <> 'delivered' and y.callback_id > $1 and y.callback_id < $2`,
  heads: () => `select h.callback_id as id from callbacks.head h
    where h.callback_id > $1 and h.callback_id < $2`,
  queueHead: () => `select h.callback_id as id from callbacks.head h
    where h.application = $4 and h.queue = $5 and h.callback_id > $1 and h.callback_id < $2`,
  waiting: () => `select w.callback_id as id from callbacks.waiting w
    where w.callback_id > $1 and w.callback_id < $2`,
  own: (direction) =>
    ofEach(
      `select r.id from callbacks.request r
      where r.application = a.application and r.id > $1 and r.id < $2`,
      direction,
    ),
  ownQueues: (direction) =>
    ofEach(
      `select r.id from callbacks.request r
      where r.application = a.application and r.queue = $5 and r.id > $1 and r.id < $2`,
      direction,
    ),
  ownQueueHeads: (direction) =>
    ofEach(
      `select h.callback_id as id from callbacks.head h
      where h.application = a.application and h.queue = $5
        and h.callback_id > $1 and h.callback_id < $2`,
      direction,
    ),
  // All callbacks to an endpoint belong to its application, also after it was removed.
  ownEndpoint: () => `select r.id from callbacks.request r
    where r.endpoint_id = $5 and r.id > $1 and r.id < $2
      and (
        select f.application from callbacks.request f
        where f.endpoint_id = $5 order by f.id limit 1
      ) = any($4::text[])`,
};

function ofEach(rows: string, direction: 'asc' | 'desc'): string {
  return `select p.id from unnest($4::text[]) a(application)
    cross join lateral (${rows} order by id ${direction} limit $3) p`;
}

/** Returns the SQL of a source: up to `$3` ids, in order. */
export function sourceText(name: SourceName, order: ScanOrder): string {
  const direction = order === 'newest' ? 'desc' : 'asc';
  return `${sources[name](direction)} order by id ${direction} limit $3`;
}

/** Chooses the source that reads the fewest rows for a filter. */
export function chooseSource(
  filter: CallbackFilter,
  applications: readonly string[] | undefined,
): ChosenSource {
  return applications ? chooseOwnSource(filter, applications) : chooseSharedSource(filter);
}

function chooseSharedSource(filter: CallbackFilter): ChosenSource {
  const { state, application, queue, endpointId } = filter;
  const ofQueue =
    application !== undefined && queue !== undefined ? [application, queue] : undefined;
  if (isHeadState(state)) {
    return ofQueue ? { name: 'queueHead', keys: ofQueue } : { name: 'heads', keys: [] };
  }
  if (state === 'waiting') {
    return ofQueue ? { name: 'queue', keys: ofQueue } : { name: 'waiting', keys: [] };
  }
  if (endpointId !== undefined) return { name: 'endpoint', keys: [endpointId] };
  if (ofQueue) return { name: 'queue', keys: ofQueue };
  if (state !== undefined && state !== 'delivered') return { name: 'ended', keys: [state] };
  if (application !== undefined) return { name: 'application', keys: [application] };
  return { name: 'all', keys: [] };
}

function chooseOwnSource(
  { state, queue, endpointId }: CallbackFilter,
  applications: readonly string[],
): ChosenSource {
  if (queue !== undefined && isHeadState(state)) {
    return { name: 'ownQueueHeads', keys: [applications, queue] };
  }
  if (endpointId !== undefined) return { name: 'ownEndpoint', keys: [applications, endpointId] };
  if (queue !== undefined) return { name: 'ownQueues', keys: [applications, queue] };
  return { name: 'own', keys: [applications] };
}

function isHeadState(state: CallbackFilter['state']): boolean {
  return state === 'pending' || state === 'leased' || state === 'held';
}

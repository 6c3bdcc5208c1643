import {
  createIdentifierTest,
  type ErasingProgress,
  type ErasingStep,
  type ErasureSelection,
  onlyApplication,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import type { Statement, Transaction } from '@posthaste/postgres';
import { toQueueName } from '../endpoints/event-order.js';
import { lowestId } from '../lookup/id-bounds.js';
import { type ErasedCallbacks, eraseCallbacks } from './erase-callbacks.js';

/** Most bytes of bodies that one step reads. The row with which they are reached is the last one. */
const maxStepBytes = 1024 * 1024;

/** Conditions `$1` to `$4`: applications, endpoint, key as a queue, key as a part of a queue's name. */
const isOwn = '($1::text[] is null or r.application = any($1))';
const condition = `${isOwn} and ($2::uuid is null or r.endpoint_id = $2)
  and ($3::text is null or r.queue = $3 or r.queue = 'endpoint:' || r.endpoint_id || ':' || $4)`;

/**
 * Sources of a step: rows in the order of their ids, from one index each, whether they match or not.
 *
 * | selection       | index                 |
 * |-----------------|-----------------------|
 * | endpoint        | `request_endpoint`    |
 * | one application | `request_application` |
 * | all else        | primary key           |
 */
const sources = {
  // All callbacks to an endpoint belong to its application: of a foreign one, no row is read.
  endpoint: `r.endpoint_id = $2 and ($1::text[] is null or (
      select f.application from callbacks.request f
      where f.endpoint_id = $2 order by f.id limit 1
    ) = any($1)) and`,
  application: 'r.application = ($1::text[])[1] and',
  all: '',
} as const;

type SourceName = keyof typeof sources;

/** `$5` is the position, `$6` the limit of rows, `$7` that of bytes, `$8` true to read the bodies. */
const requestsStatement = (source: SourceName): Statement => ({
  name: `callbacks_erase_requests_${source}`,
  text: `
select id, own, matches, case when matches and $8 then body end as body from (
  select r.id, r.body, ${isOwn} as own, coalesce(r.erased_at is null and ${condition}, false) as matches,
    sum(octet_length(r.body)) over (order by r.id) - octet_length(r.body) as bytes_before
  from (
    select * from callbacks.request r where ${sources[source]} r.id > $5 order by r.id limit $6
  ) r
) as page
where not $8 or coalesce(bytes_before, 0) < $7
order by id`,
});

interface RequestRow {
  readonly id: string;
  readonly own: boolean;
  readonly matches: boolean;
  readonly body: Buffer | null;
}

/**
 * Erases the payloads of callbacks by their requests: one step. Callbacks with an identifier match by
 * the body of the request; those whose receiver answered with it are found by
 * {@link eraseByResponses}.
 */
export async function eraseByRequests(
  tx: Transaction,
  selection: ErasureSelection,
  { position, limit }: ErasingStep,
): Promise<ErasingProgress> {
  const { identifier } = selection;
  const { rows } = await tx.query<RequestRow>(requestsStatement(sourceOf(selection)), [
    ...toConditionValues(selection),
    position ?? lowestId,
    limit,
    maxStepBytes,
    identifier !== undefined,
  ]);
  const matching = rows.filter(({ matches }) => matches);
  const test = identifier && createIdentifierTest(identifier);
  const found = test ? matching.filter(({ body }) => body !== null && test(body)) : matching;
  const result = await eraseCallbacks(
    tx,
    found.map(({ id }) => id),
    selection.undelivered,
  );
  return toProgress(result, { before: position, last: rows.at(-1)?.id, scanned: countOwn(rows) });
}

/** Index: primary key of `history`. The position is a callback and a step of it. */
const responsesStatement: Statement = {
  name: 'callbacks_erase_responses',
  text: `
select callback_id, step, own, case when matches then response_body end as body from (
  select y.callback_id, y.step, y.response_body, coalesce(${isOwn}, false) as own,
    y.response_body is not null and coalesce(r.erased_at is null and ${condition}, false) as matches,
    sum(octet_length(y.response_body)) over (order by y.callback_id, y.step)
      - octet_length(y.response_body) as bytes_before
  from (
    select callback_id, step, response_body from callbacks.history
    where (callback_id, step) > ($5::uuid, $6::int) and callback_id >= $5
    order by callback_id, step limit $7
  ) y
  left join lateral (select * from callbacks.request r where r.id = y.callback_id limit 1) r on true
) as page
where coalesce(bytes_before, 0) < $8
order by callback_id, step`,
};

interface ResponseRow {
  readonly callback_id: string;
  readonly step: number;
  readonly own: boolean;
  readonly body: Buffer | null;
}

/** Erases the payloads of callbacks whose receiver answered with the identifier: one step. */
export async function eraseByResponses(
  tx: Transaction,
  selection: ErasureSelection,
  { position, limit }: ErasingStep,
): Promise<ErasingProgress> {
  const { identifier } = selection;
  // Without an identifier, all that belongs to the selection was found by its requests.
  if (!identifier) return { position, done: true, scanned: 0, erased: 0 };
  const [id = lowestId, step = '0'] = position?.split(' ') ?? [];
  const values = [...toConditionValues(selection), id, Number(step), limit, maxStepBytes];
  const { rows } = await tx.query<ResponseRow>(responsesStatement, values);
  const test = createIdentifierTest(identifier);
  const found = rows.filter(({ body }) => body !== null && test(body));
  const result = await eraseCallbacks(
    tx,
    [...new Set(found.map(({ callback_id }) => callback_id))],
    selection.undelivered,
  );
  const last = rows.at(-1);
  return toProgress(result, {
    before: position,
    last: last && `${last.callback_id} ${last.step}`,
    scanned: countOwn(rows),
  });
}

/** Returns the number of rows that are shown as scanned: whoever asked must not count those of others. */
function countOwn(rows: readonly { readonly own: boolean }[]): number {
  return rows.filter(({ own }) => own).length;
}

/** Time until attempts that are under way are looked at again, in ms. */
const busyWaitMs = 500;

function toProgress(
  { erased, kept, busy }: ErasedCallbacks,
  step: { readonly before: string | undefined; readonly last: string | undefined; scanned: number },
): ErasingProgress {
  // The same rows once more: those that are erased by then are passed over.
  if (busy > 0) {
    return { position: step.before, done: false, scanned: 0, erased, kept: 0, waitMs: busyWaitMs };
  }
  const { last, scanned } = step;
  return { position: last ?? step.before, done: last === undefined, scanned, erased, kept };
}

function sourceOf({ applications, endpointId }: ErasureSelection): SourceName {
  if (endpointId !== undefined) return 'endpoint';
  return onlyApplication(applications) === undefined ? 'all' : 'application';
}

function toConditionValues({ applications, endpointId, key }: ErasureSelection): unknown[] {
  return [
    toApplicationColumn(applications),
    endpointId === undefined ? null : (parseId(endpointId) ?? lowestId),
    key ?? null,
    key === undefined ? null : toQueueName(key),
  ];
}

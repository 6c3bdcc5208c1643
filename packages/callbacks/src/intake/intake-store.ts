import { type IdempotencyClaim, PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import { toFairnessKey } from '../delivery/fairness-key.js';
import type { CallbackRequest } from '../request/request.js';
import { toStoredPolicy } from '../retry/retry-policy.js';

/** Callback to be stored. */
export interface IntakeItem {
  readonly id: string;
  readonly request: CallbackRequest;
  readonly idempotency: IdempotencyClaim | undefined;
}

/** Result of {@link storeCallbacks}. */
export interface Stored {
  readonly createdAt: Date;
  /** Ids of items that were not stored, because their Idempotency-Key had been used before. */
  readonly repeated: ReadonlySet<string>;
}

/** Columns of `request` that both statements write as they are given. */
const inputColumns = `id, application, endpoint_id, url, method, headers, body, policy, timeout_ms, secret,
    notification_email, expires_at, echo`;

const inputArrays = `$1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::json[], $7::bytea[],
    $8::json[], $9::int[], $10::text[], $11::text[], $12::timestamptz[], $13::smallint[],
    $14::text[], $15::timestamptz[]`;

const due = 'greatest(now(), coalesce(i.deliver_after, now())) as due_at';
const notified = `case when $16::boolean then pg_notify('callbacks_due', '') end as notified`;

/** Stores a batch in which no callback has a queue or an Idempotency-Key. */
const storePlainStatement: Statement = {
  name: 'callbacks_store_plain',
  text: `
with input as (
  select i.*, ${due}
  from unnest(${inputArrays}) as i(${inputColumns}, lane, deliver_after)
),
stored as (
  insert into callbacks.request (${inputColumns}) select ${inputColumns} from input
),
heads as (
  insert into callbacks.head (callback_id, application, endpoint_id, lane, ready, due_at)
  select id, application, endpoint_id, lane, due_at <= now(), due_at from input
)
select now() as created_at, null as repeated, ${notified}`,
};

/**
 * Stores any batch. Where a queue has a head, the statement locks it until the commit (`do update …
 * where false`): the head cannot end without the callbacks that are being added behind it. Heads
 * are locked in the order of their queues, so that two batches cannot deadlock.
 */
const storeStatement: Statement = {
  name: 'callbacks_store',
  text: `
with input as (
  select i.*, ${due}
  from unnest(${inputArrays}, $17::text[], $18::text[], $19::bytea[])
    with ordinality as i(${inputColumns}, lane, deliver_after, queue, key, body_hash, n)
),
first_use as (
  insert into callbacks.idempotency (application, key, body_hash, callback_id)
  select application, key, body_hash, id from input where key is not null
  order by application, key, n
  on conflict do nothing
  returning callback_id
),
fresh as (
  select * from input where key is null or id in (select callback_id from first_use)
),
stored as (
  insert into callbacks.request (${inputColumns}, queue) select ${inputColumns}, queue from fresh
),
heads as (
  insert into callbacks.head (callback_id, application, queue, endpoint_id, lane, ready, due_at, hold)
  select f.id, f.application, f.queue, f.endpoint_id, f.lane,
    f.due_at <= now() and q.paused is not true, f.due_at, case when q.paused then 'paused' end
  from (
    select *, row_number() over (partition by application, queue order by n) as place from fresh
  ) f
  left join callbacks.queue q on q.application = f.application and q.queue = f.queue
  where f.queue is null or f.place = 1
  order by f.application, f.queue, f.n
  on conflict (application, queue) where queue is not null do update set lane = excluded.lane where false
  returning callback_id
),
behind as (
  insert into callbacks.waiting (application, queue, callback_id, endpoint_id, lane, due_at)
  select application, queue, id, endpoint_id, lane, due_at from fresh
  where queue is not null and id not in (select callback_id from heads)
  order by n
)
select now() as created_at,
  (select array_agg(i.id) from input i where i.key is not null
    and i.id not in (select callback_id from first_use)) as repeated,
  ${notified}`,
};

/** Stores callbacks; they are committed when it resolves, unless `db` is a transaction. */
export async function storeCallbacks(
  db: Queryable,
  items: readonly IntakeItem[],
  notify: boolean,
): Promise<Stored> {
  const values = [...inputValues(items), notify];
  const isPlain = items.every(({ request, idempotency }) => !request.queue && !idempotency);
  const { rows } = isPlain
    ? await db.query<StoredRow>(storePlainStatement, values)
    : await db.query<StoredRow>(storeStatement, [
        ...values,
        items.map(({ request }) => request.queue ?? null),
        items.map(({ idempotency }) => idempotency?.key ?? null),
        items.map(({ idempotency }) => idempotency?.bodyHash ?? null),
      ]);
  const row = rows[0];
  if (!row) throw new PlatformError('INTERNAL', 'storing callbacks returned no row');
  return { createdAt: row.created_at, repeated: new Set(row.repeated) };
}

interface StoredRow {
  readonly created_at: Date;
  readonly repeated: string[] | null;
}

/** Returns the values of {@link inputArrays}. */
function inputValues(items: readonly IntakeItem[]): unknown[][] {
  const column = <T>(read: (request: CallbackRequest) => T): T[] =>
    items.map(({ request }) => read(request));
  return [
    items.map(({ id }) => id),
    column((r) => r.application),
    column((r) => r.endpointId ?? null),
    column((r) => r.url),
    column((r) => r.method),
    column((r) => (r.headers === undefined ? null : JSON.stringify(r.headers))),
    column((r) => r.body ?? null),
    column((r) => JSON.stringify(toStoredPolicy(r.policy))),
    column((r) => r.timeoutMs),
    column((r) => r.secret ?? null),
    column((r) => r.notificationEmail ?? null),
    column((r) => r.expiresAt ?? null),
    column((r) => r.echo),
    column((r) =>
      toFairnessKey({ origin: r.origin, application: r.application, endpointId: r.endpointId }),
    ),
    column((r) => r.deliverAfter ?? null),
  ];
}

const firstUseStatement: Statement = {
  name: 'callbacks_first_use',
  text: `
select i.id, k.callback_id, k.created_at, k.body_hash = i.body_hash as same_body
from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[]) as i(id, application, key, body_hash)
join callbacks.idempotency k on k.application = i.application and k.key = i.key`,
};

/** First use of an Idempotency-Key. */
export interface FirstUse {
  readonly callbackId: string;
  /** Time at which the callback was stored, by the same statement as the key. */
  readonly createdAt: Date;
  readonly sameBody: boolean;
}

/** Finds the first use of the items' Idempotency-Keys, by item id. */
export async function findFirstUses(
  db: Queryable,
  items: readonly IntakeItem[],
): Promise<Map<string, FirstUse>> {
  const { rows } = await db.query<FirstUseRow>(firstUseStatement, [
    items.map(({ id }) => id),
    items.map(({ request }) => request.application),
    items.map(({ idempotency }) => idempotency?.key ?? null),
    items.map(({ idempotency }) => idempotency?.bodyHash ?? null),
  ]);
  return new Map(
    rows.map(({ id, callback_id: callbackId, created_at: createdAt, same_body: sameBody }) => [
      id,
      { callbackId, createdAt, sameBody },
    ]),
  );
}

interface FirstUseRow {
  readonly id: string;
  readonly callback_id: string;
  readonly created_at: Date;
  readonly same_body: boolean;
}

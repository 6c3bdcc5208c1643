import { type CallbackEventName, createEnvelope } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { DeliveryResult } from '../delivery/delivery.js';
import type { CallbackEventSink, StatementLog } from '../events/callback-events.js';
import { deliveredEventNames, eventExpression } from './event-expression.js';
import {
  historyColumns,
  historyValues,
  resultArrays,
  resultColumns,
  resultValues,
} from './result-columns.js';
import { attemptsOf, latencyMsOf } from './result-events.js';

/*
 * The statement that records deliveries together with the events about them.
 *
 * Most results are deliveries without a queue, and each makes two events. A worker that builds,
 * serializes and sends these spends half as much again as on the delivery itself. So the statement
 * that records such deliveries builds their events from the values that it has, and appends them to
 * the log.
 */

/**
 * Length of the part of an event's id that the worker draws; it has all of the randomness. The
 * number of the result in the statement and a digit for its event follow. Drawing each id in
 * Postgres would take as long as everything else about the event.
 */
const idStartLength = 27;
const eventId = (digit: number): string =>
  `$18::text || lpad(to_hex(g.nth), ${32 - idStartLength - 1}, '0') || '${digit}'`;

/** True if the statement can record the result and build the events about it. */
export function isPlainDelivery({ delivery, attempt, verdict }: DeliveryResult): boolean {
  const { ordered, echo, application } = delivery;
  if (verdict.kind !== 'ended' || verdict.ending !== 'delivered') return false;
  return attempt !== undefined && !ordered && echo === 0 && isPlain(application);
}

/**
 * Records plain deliveries with the wanted events about them; at least one kind must be wanted.
 * Returns the number of results that were written. The others had lost their lease.
 */
export async function finishWithEvents(
  db: Queryable,
  results: readonly DeliveryResult[],
  { log, wants }: { readonly log: StatementLog; readonly wants: CallbackEventSink['wants'] },
): Promise<number> {
  const { id, timestamp, timestampUnixNano } = createEnvelope({ name: '', namespace: '' });
  const statement = statementOf(log, wants);
  const { rows } = await db.query<{ finished: number }>(statement, [
    ...resultValues(results),
    results.map(({ delivery }) => log.shardOf(delivery.callbackId)),
    results.map(attemptsOf),
    results.map(latencyMsOf),
    toTraces(results),
    timestamp,
    timestampUnixNano,
    id.slice(0, idStartLength),
  ]);
  log.hint();
  return rows[0]?.finished ?? 0;
}

/**
 * Returns the traces of the results, or an empty list if none has one: the statement reads it as
 * nulls.
 */
function toTraces(results: readonly DeliveryResult[]): (string | null)[] {
  const traces = results.map(({ delivery }) => delivery.request.headers?.traceparent ?? null);
  return traces.some((trace) => trace !== null) ? traces : [];
}

/** Text that JSON needs no escapes for. Events with any other are built by the worker. */
const plainText = /^[ !#-%'-;=?-[\]-~]*$/;
const last = { application: '', isPlain: true };

/**
 * True for plain text. The last answer is kept, because consecutive results mostly belong to one
 * application.
 */
function isPlain(application: string): boolean {
  if (application === last.application) return last.isPlain;
  last.application = application;
  last.isPlain = plainText.test(application);
  return last.isPlain;
}

const statements = new Map<string, Statement>();
let allNames: readonly CallbackEventName[] | undefined;

function statementOf(
  { appendFunction }: StatementLog,
  wants: CallbackEventSink['wants'],
): Statement {
  allNames ??= deliveredEventNames();
  const names = allNames.filter(wants);
  const key = [appendFunction, ...names].join(' ');
  const statement = statements.get(key) ?? toStatement(appendFunction, names);
  statements.set(key, statement);
  return statement;
}

/**
 * Builds the statement. The delete is the fence, as in result-store.ts: a row that it does not
 * delete makes no event.
 */
function toStatement(appendFunction: string, names: readonly CallbackEventName[]): Statement {
  const events = names.map(
    (name, i) => `array_agg(${eventExpression(name, eventId(i))}) as events_${i}`,
  );
  /** Arguments of the function: arrays for all rows, those of the first event before the others. */
  const forEachName = (column: (i: number) => string): string =>
    names.map((_, i) => column(i)).join(' || ');
  return {
    name: `callbacks_finish_with_events_${names.map((name) => name.split('.')[1]).join('_')}`,
    text: `
with ended as (
  delete from callbacks.head h
  using unnest(${resultArrays}, $12::int[], $13::int[], $14::bigint[], $15::text[]) with ordinality
    as i(${resultColumns}, shard, attempts, latency_ms, traceparent, nth)
  where h.callback_id = i.callback_id and h.lease_token = i.lease_token
  returning i.*, h.application, h.endpoint_id, h.step, h.lease_holder, h.leased_at,
    h.due_at as leased_until
),
written as (
  insert into callbacks.history (${historyColumns})
  select ${historyValues('ended', 'ending')} from ended
),
events as (
  select count(*)::int as finished, array_agg(g.shard) as shards, array_agg(g.key) as keys,
    array_agg(g.traceparent) as traces, array_agg(g.application) as applications,
    ${events.join(', ')}
  from (select *, callback_id::text as key from ended offset 0) g
)
select finished, case when finished > 0 then ${appendFunction}(
  ${forEachName(() => 'shards')},
  ${forEachName((i) => `array_fill('${names[i]}'::text, array[finished])`)},
  ${forEachName(() => 'keys')},
  ${forEachName((i) => `events_${i}`)},
  ${forEachName(() => 'traces')},
  ${forEachName(() => 'applications')}
) end as appended
from events`,
  };
}

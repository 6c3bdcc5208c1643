import { createEnvelope, PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { DeliveryResult } from '../delivery/delivery.js';
import type { CallbackEventName, StatementLog } from '../events/callback-events.js';
import { toEventBody } from '../events/subscribed-event.js';
import { spanContextSql } from '../request/trace-headers.js';
import { singleAttempt } from '../retry/retry-policy.js';
import { attemptsOf, latencyMsOf, type RecordedResult, toResultEvents } from './result-events.js';
import {
  historyColumns,
  historyValues,
  resultArrays,
  resultColumns,
  resultValues,
} from './result-store.js';

/*
 * Deliveries without a queue are the bulk of all results, and two events each. Made, written out and
 * sent by the worker, they cost it half as much again as the delivery itself; so the statement that
 * records deliveries makes their events of what it has at hand, and appends them to the log.
 *
 * What an event looks like is said in one place all the same: its members are those that
 * `toResultEvents` gives an example, with the values of the row in their places.
 */

/**
 * Ids of events: the start of one that the worker drew, where all that is random is, the number of the
 * result in the statement, and a digit for the event of it. To draw each here takes Postgres as long
 * as all the rest of the event.
 */
const idStartLength = 27;
const eventId = (digit: number): string =>
  `$18::text || lpad(to_hex(g.nth), ${32 - idStartLength - 1}, '0') || '${digit}'`;

/** Where the statement finds the values of members, by name; other members are as in the example. */
const memberValues: Readonly<Record<string, string>> = {
  namespace: `nullif(g.application, '')`,
  spanContext: spanContextSql('g.traceparent'),
  timestamp: '$16::text',
  timestampUnixNano: '$17::bigint',
  callbackId: 'g.key',
  endpointId: 'g.endpoint_id',
  attempt: 'g.attempts',
  attempts: 'g.attempts',
  durationNs: 'g.duration_ns',
  latencyMs: 'g.latency_ms',
  statusCode: 'g.status_code',
};

/** Left out of an event where the value is null. */
const optionalMembers: ReadonlySet<string> = new Set(['namespace', 'spanContext', 'endpointId']);

const deliveredNames = ['callback.attempted', 'callback.delivered'] as const;
type DeliveredName = (typeof deliveredNames)[number];

/** Whether the statement can tell of a result what there is to tell. */
export function isPlainDelivery({ delivery, attempt, verdict }: DeliveryResult): boolean {
  const { ordered, echo, application } = delivery;
  if (verdict.kind !== 'ended' || verdict.ending !== 'delivered') return false;
  return attempt !== undefined && !ordered && echo === 0 && isPlain(application);
}

/**
 * Records plain deliveries and tells of them; gives how many counted. The others had lost their lease.
 * One of their names must be wanted.
 */
export async function finishWithEvents(
  db: Queryable,
  results: readonly DeliveryResult[],
  log: StatementLog,
  wants: (name: CallbackEventName) => boolean,
): Promise<number> {
  const { id, timestamp, timestampUnixNano } = createEnvelope({ name: '', namespace: '' });
  const statement = statementOf(log, deliveredNames.filter(wants));
  const { rows } = await db.query<{ finished: number }>(statement, [
    ...resultValues(results),
    results.map(({ delivery }) => log.placeOf(delivery.callbackId)),
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

/** None where none has one: what is missing is null to the statement. */
function toTraces(results: readonly DeliveryResult[]): (string | null)[] {
  const traces = results.map(({ delivery }) => delivery.request.headers?.traceparent ?? null);
  return traces.some((trace) => trace !== null) ? traces : [];
}

/** What stands in JSON as it is: of everything else the worker makes the events. */
const plainText = /^[ !#-%'-;=?-[\]-~]*$/;
const last = { application: '', isPlain: true };

/** Most results of one moment are of one application. */
function isPlain(application: string): boolean {
  if (application === last.application) return last.isPlain;
  last.application = application;
  last.isPlain = plainText.test(application);
  return last.isPlain;
}

const statements = new Map<string, Statement>();

function statementOf({ appendFunction }: StatementLog, names: readonly DeliveredName[]): Statement {
  const key = [appendFunction, ...names].join(' ');
  const statement = statements.get(key) ?? toStatement(appendFunction, names);
  statements.set(key, statement);
  return statement;
}

/** The delete is the fence, as in `finishResults`: of what it does not delete nothing is told. */
function toStatement(appendFunction: string, names: readonly DeliveredName[]): Statement {
  const events = names.map((name, i) => `array_agg(${eventExpression(name, i)}) as events_${i}`);
  const eachTime = (column: (i: number) => string): string =>
    names.map((_, i) => column(i)).join(' || ');
  return {
    name: `callbacks_finish_telling_${names.map((name) => name.split('.')[1]).join('_')}`,
    text: `
with gone as (
  delete from callbacks.head h
  using unnest(${resultArrays}, $12::int[], $13::int[], $14::bigint[], $15::text[]) with ordinality
    as i(${resultColumns}, place, attempts, latency_ms, traceparent, nth)
  where h.callback_id = i.callback_id and h.lease_token = i.lease_token
  returning i.*, h.application, h.endpoint_id, h.step, h.lease_holder, h.leased_at,
    h.due_at as leased_until
),
written as (
  insert into callbacks.history (${historyColumns})
  select ${historyValues('gone', 'leased_until', 'ending')} from gone
),
told as (
  select count(*)::int as finished, array_agg(g.place) as places, array_agg(g.key) as keys,
    array_agg(g.traceparent) as traces,
    ${events.join(', ')}
  from (select *, callback_id::text as key from gone offset 0) g
)
select finished, case when finished > 0 then ${appendFunction}(
  ${eachTime(() => 'places')},
  ${eachTime((i) => `array_fill('${names[i]}'::text, array[finished])`)},
  ${eachTime(() => 'keys')},
  ${eachTime((i) => `events_${i}`)},
  ${eachTime(() => 'traces')}
) end as appended
from told`,
  };
}

/** The envelope of an event about the row `g`, as text: keys of payloads sorted, as the log has them. */
function eventExpression(name: DeliveredName, digit: number): string {
  const values = { ...memberValues, id: eventId(digit) };
  const [event] = toResultEvents(example, (wanted) => wanted === name);
  if (!event) throw new PlatformError('INTERNAL', `a delivery makes no ${name}`);
  const { payload = {}, ...envelope } = JSON.parse(
    toEventBody(event.envelope).toString(),
  ) as Record<string, unknown>;
  const inside = Object.entries(payload as object).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = new TextExpression('{');
  for (const member of Object.entries(envelope)) addMember(text, values, member, ',');
  text.addText('"payload":{');
  inside.forEach((member, i) => {
    addMember(text, values, member, i < inside.length - 1 ? ',' : '');
  });
  text.addText('}}');
  return text.toSql();
}

function addMember(
  text: TextExpression,
  values: Readonly<Record<string, string>>,
  [key, value]: [string, unknown],
  comma: string,
): void {
  const found = values[key];
  if (found === undefined) {
    text.addText(`"${key}":${JSON.stringify(value)}${comma}`);
    return;
  }
  const quote = typeof value === 'string' ? '"' : '';
  const [before, after] = [`"${key}":${quote}`, `${quote}${comma}`];
  if (optionalMembers.has(key)) {
    text.addSql(`'${before}' || ${found} || '${after}'`);
    return;
  }
  text.addText(before);
  text.addSql(found);
  text.addText(after);
}

/** Texts and values, one after another. Null is nothing. */
class TextExpression {
  readonly #arguments: string[] = [];
  #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  addText(text: string): void {
    this.#text += text;
  }

  addSql(expression: string): void {
    this.#arguments.push(`'${this.#text}'`, expression);
    this.#text = '';
  }

  toSql(): string {
    return `concat(${[...this.#arguments, `'${this.#text}'`].join(', ')})`;
  }
}

/** A delivery that has everything of which its events tell. */
const example = {
  result: {
    delivery: {
      callbackId: 'example',
      leaseToken: '',
      ordered: false,
      application: 'example',
      queue: undefined,
      endpointId: 'example',
      place: 0,
      fairnessKey: '',
      failures: 0,
      unknowns: 0,
      cancelled: false,
      echo: 0,
      createdAtMs: 0,
      expiresAtMs: undefined,
      request: {
        url: '',
        method: '',
        headers: { traceparent: `00-${'1'.repeat(32)}-${'1'.repeat(16)}-01` },
        body: undefined,
        policy: singleAttempt,
        timeoutMs: 0,
        secret: undefined,
        notificationEmail: undefined,
      },
      largeBodyBytes: undefined,
    },
    attempt: {
      startedAtMs: 0,
      durationNs: 0n,
      statusCode: 200,
      reason: undefined,
      detail: undefined,
      responseHeaders: undefined,
      responseBody: undefined,
      truncated: false,
      cut: false,
      resent: false,
    },
    verdict: { kind: 'ended', ending: 'delivered' },
    chain: false,
  },
  ending: 'delivered',
  parked: false,
} as const satisfies RecordedResult;

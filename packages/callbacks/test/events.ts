import {
  type CallbackEventName,
  callbackEventNames,
  createEnvelope,
  type JsonObject,
} from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import type {
  CallbackEvent,
  CallbackEventSink,
  StatementLog,
} from '../src/events/callback-events.js';
import { type SubscribedEvent, toEventBody } from '../src/events/subscribed-event.js';
import type { EventSelector } from '../src/subscriptions/event-fanout.js';
import type { EventBatch, EventSource } from '../src/subscriptions/subscription-consumer.js';

/** Returns an event as the event source returns it. */
export function eventOf(
  name: string,
  payload: JsonObject = {},
  more: {
    readonly topic?: string;
    readonly application?: string;
    readonly namespace?: string;
    readonly key?: string;
    readonly userId?: string;
  } = {},
): SubscribedEvent {
  const { topic = 'orders', application = '', namespace = 'shop', key, userId } = more;
  return {
    topic,
    application,
    envelope: createEnvelope({ name, namespace, payload, ...(userId ? { userId } : {}) }),
    key,
  };
}

/** Event log in the database, with the offset of one consumer. */
export class TestLog implements EventSource {
  readonly #db: Database;

  private constructor(db: Database) {
    this.#db = db;
  }

  static async create(db: Database): Promise<TestLog> {
    await db.query(`
      create schema test_log;
      create table test_log.event (n bigint generated always as identity primary key, event json);
      create table test_log.consumer (consumed bigint not null);
      insert into test_log.consumer values (0);`);
    return new TestLog(db);
  }

  async append(...events: readonly SubscribedEvent[]): Promise<void> {
    const lines = events.map(({ envelope: { timestampUnixNano: _, ...envelope }, ...event }) =>
      JSON.stringify({ ...event, envelope }),
    );
    const sql = `insert into test_log.event (event)
      select event from unnest($1::json[]) with ordinality as e(event, n) order by n`;
    await this.#db.query(sql, [lines]);
  }

  async readBatch(
    tx: Transaction,
    limit: number,
    getSelector: () => Promise<EventSelector>,
  ): Promise<EventBatch> {
    const consumer = await tx.query<{ consumed: bigint }>(
      'select consumed from test_log.consumer for update',
    );
    const { rows } = await tx.query<{ n: bigint; event: SubscribedEvent }>(
      'select n, event from test_log.event where n > $1 order by n limit $2',
      [consumer.rows[0]?.consumed, limit],
    );
    const last = rows.at(-1);
    if (last) await tx.query('update test_log.consumer set consumed = $1', [last.n]);
    const selector = await getSelector();
    const wanted = ({ topic, envelope }: SubscribedEvent): boolean =>
      selector !== 'none' && selector(topic, envelope.name);
    const events = rows.map(({ event }) => event).filter(wanted);
    return { events, more: rows.length === limit };
  }

  /** Returns the number of events that are not consumed yet. */
  async remaining(): Promise<number> {
    const { rows } = await this.#db.query<{ n: number }>(
      'select count(*)::int as n from test_log.event, test_log.consumer where n > consumed',
    );
    return rows[0]?.n ?? 0;
  }
}

/** Appender of events: the worker, in the transaction, or the statement that records results. */
export type TestSinkAppender = 'transaction' | 'statement';

/**
 * SQL function that appends events, in place of the one of the log: the statement that records
 * deliveries calls it.
 */
const appendFunction = `
create or replace function public.append_events(shards integer[], names text[], keys text[],
  events text[], traces text[], applications text[]) returns integer language plpgsql as $$
begin
  if nextval('public.append_tries') <= (select failures from public.append_failures) then
    raise serialization_failure;
  end if;
  insert into public.appended (event)
  select json_build_object('topic', 'callbacks', 'key', key, 'envelope', event::json,
    'traceparent', trace, 'application', application)
  from (select unnest(keys) as key, unnest(events) as event, unnest(traces) as trace,
    unnest(applications) as application) as e;
  return cardinality(keys);
end $$;`;

const appendStatement =
  'select public.append_events(null, null, $1::text[], $2::text[], $3::text[], $4::text[])';

/** Sink that stores events in the database, in the transaction that they are about. */
export class TestSink implements CallbackEventSink {
  readonly inStatement: StatementLog | undefined;
  readonly #db: Database;
  readonly #wanted: ReadonlySet<CallbackEventName>;

  private constructor(
    db: Database,
    wanted: readonly CallbackEventName[],
    inStatement: StatementLog | undefined,
  ) {
    this.#db = db;
    this.#wanted = new Set(wanted);
    this.inStatement = inStatement;
  }

  /** Creates a sink without events. */
  static async create(
    db: Database,
    wanted: readonly CallbackEventName[] = callbackEventNames,
    appender: TestSinkAppender = 'transaction',
  ): Promise<TestSink> {
    await db.query(`
      drop table if exists public.appended, public.append_failures;
      drop sequence if exists public.append_tries;
      create table public.appended (n bigint generated always as identity, event json);
      create sequence public.append_tries;
      create table public.append_failures as select 0 as failures;
      ${appendFunction}`);
    const log = { appendFunction: 'public.append_events', shardOf: () => 0, hint: () => undefined };
    return new TestSink(db, wanted, appender === 'statement' ? log : undefined);
  }

  readonly wants: CallbackEventSink['wants'] = (name) => this.#wanted.has(name);

  async append(tx: Transaction, events: readonly CallbackEvent[]): Promise<void> {
    const bodies = events.map(({ envelope }) => toEventBody(envelope).toString());
    await tx.query(appendStatement, [
      events.map(({ key }) => key),
      bodies,
      events.map(({ traceparent }) => traceparent ?? null),
      events.map(({ application }) => application),
    ]);
  }

  /** Makes the next `count` appends fail with an error that is retried. */
  async failNext(count: number): Promise<void> {
    await this.#db.query('update public.append_failures set failures = $1', [count]);
  }

  /** Returns the committed events, in the order of their appends. */
  async events(): Promise<CallbackEvent[]> {
    const { rows } = await this.#db.query<{ event: CallbackEvent }>(
      'select event from public.appended order by n',
    );
    return rows.map(({ event }) => event);
  }

  /** Returns the committed events as `<name> <value of the payload's field>`. */
  async eventLines(field: string): Promise<string[]> {
    return (await this.events()).map(
      ({ envelope: { name, payload } }) => `${name} ${String(payload?.[field])}`,
    );
  }
}

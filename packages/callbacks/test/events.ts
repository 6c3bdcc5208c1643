import { createEnvelope, type JsonObject } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import {
  type CallbackEvent,
  type CallbackEventName,
  type CallbackEventSink,
  callbackEventNames,
  type StatementLog,
} from '../src/events/callback-events.js';
import { type SubscribedEvent, toEventBody } from '../src/events/subscribed-event.js';
import type { EventSelector } from '../src/subscriptions/event-fanout.js';
import type { EventBatch, EventSource } from '../src/subscriptions/subscription-consumer.js';

/** An event as the stream gives it. */
export function eventOf(
  name: string,
  payload: JsonObject = {},
  more: {
    readonly topic?: string;
    readonly namespace?: string;
    readonly key?: string;
    readonly userId?: string;
  } = {},
): SubscribedEvent {
  const { topic = 'orders', namespace = 'shop', key, userId } = more;
  return {
    topic,
    envelope: createEnvelope({ name, namespace, payload, ...(userId ? { userId } : {}) }),
    key,
  };
}

/** A log of events in the database, with one consumer's offset, as a port for tests. */
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
    choose: () => Promise<EventSelector>,
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
    const choice = await choose();
    const wanted = ({ topic, envelope }: SubscribedEvent): boolean =>
      choice !== 'none' && choice(topic, envelope.name);
    const events = rows.map(({ event }) => event).filter(wanted);
    return { events, more: rows.length === limit };
  }

  /** Events that nobody has consumed yet. */
  async remaining(): Promise<number> {
    const { rows } = await this.#db.query<{ n: number }>(
      'select count(*)::int as n from test_log.event, test_log.consumer where n > consumed',
    );
    return rows[0]?.n ?? 0;
  }
}

/** How a sink is told: by the worker, or by the statements that record results. */
export type TestSinkManner = 'transaction' | 'statement';

/** Events as rows, as the statement that records deliveries appends them to a log. */
const tellFunction = `
create or replace function public.tell(places integer[], names text[], keys text[], events text[],
  traces text[]) returns integer language plpgsql as $$
begin
  if nextval('public.tell_tries') <= (select failures from public.tell_failures) then
    raise serialization_failure;
  end if;
  insert into public.told (event)
  select json_build_object('topic', 'callbacks', 'key', key, 'envelope', event::json,
    'traceparent', trace)
  from (select unnest(keys) as key, unnest(events) as event, unnest(traces) as trace) as e;
  return cardinality(keys);
end $$;`;

/** A sink that keeps what it is told in the database, and so in the transaction of what is told. */
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

  /** For one test: whatever was told before is gone. */
  static async create(
    db: Database,
    wanted: readonly CallbackEventName[] = callbackEventNames,
    manner: TestSinkManner = 'transaction',
  ): Promise<TestSink> {
    await db.query(`
      drop table if exists public.told, public.tell_failures;
      drop sequence if exists public.tell_tries;
      create table public.told (n bigint generated always as identity, event json);
      create sequence public.tell_tries;
      create table public.tell_failures as select 0 as failures;
      ${tellFunction}`);
    const log = { appendFunction: 'public.tell', placeOf: () => 0, hint: () => undefined };
    return new TestSink(db, wanted, manner === 'statement' ? log : undefined);
  }

  readonly wants: CallbackEventSink['wants'] = (name) => this.#wanted.has(name);

  async append(tx: Transaction, events: readonly CallbackEvent[]): Promise<void> {
    const bodies = events.map(({ envelope }) => toEventBody(envelope).toString());
    await tx.query('select public.tell(null, null, $1::text[], $2::text[], $3::text[])', [
      events.map(({ key }) => key),
      bodies,
      events.map(({ traceparent }) => traceparent ?? null),
    ]);
  }

  /** The next so many appends fail in a way that is worth another try. */
  async failNext(count: number): Promise<void> {
    await this.#db.query('update public.tell_failures set failures = $1', [count]);
  }

  /** What was told and committed, in its order. */
  async told(): Promise<CallbackEvent[]> {
    const { rows } = await this.#db.query<{ event: CallbackEvent }>(
      'select event from public.told order by n',
    );
    return rows.map(({ event }) => event);
  }

  /** The same as `<name> <payload's field>`. */
  async toldOf(field: string): Promise<string[]> {
    return (await this.told()).map(
      ({ envelope: { name, payload } }) => `${name} ${String(payload?.[field])}`,
    );
  }
}

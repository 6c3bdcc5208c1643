import { createEnvelope, type JsonObject } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import type { SubscribedEvent } from '../src/subscribed-event.js';
import type { EventSource } from '../src/subscription-consumer.js';

/** An event as the stream gives it. */
export function eventOf(
  name: string,
  payload: JsonObject = {},
  more: { readonly namespace?: string; readonly key?: string; readonly userId?: string } = {},
): SubscribedEvent {
  const { namespace = 'shop', key, userId } = more;
  return {
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
    const lines = events.map(({ key, envelope: { timestampUnixNano: _, ...envelope } }) =>
      JSON.stringify({ key, envelope }),
    );
    const sql = `insert into test_log.event (event)
      select event from unnest($1::json[]) with ordinality as e(event, n) order by n`;
    await this.#db.query(sql, [lines]);
  }

  async readBatch(tx: Transaction, limit: number): Promise<SubscribedEvent[]> {
    const consumer = await tx.query<{ consumed: bigint }>(
      'select consumed from test_log.consumer for update',
    );
    const { rows } = await tx.query<{ n: bigint; event: SubscribedEvent }>(
      'select n, event from test_log.event where n > $1 order by n limit $2',
      [consumer.rows[0]?.consumed, limit],
    );
    const last = rows.at(-1);
    if (last) await tx.query('update test_log.consumer set consumed = $1', [last.n]);
    return rows.map(({ event }) => event);
  }

  /** Events that nobody has consumed yet. */
  async remaining(): Promise<number> {
    const { rows } = await this.#db.query<{ n: number }>(
      'select count(*)::int as n from test_log.event, test_log.consumer where n > consumed',
    );
    return rows[0]?.n ?? 0;
  }
}

import { type ChannelBatch, type DeliveredBatch, parseChannel } from '@posthaste/appsync-server';
import { eventstreamMigrations, PostgresLog } from '@posthaste/eventstream';
import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { LogBroker, type LogBrokerOptions } from '../src/realtime/log-broker.js';

/** Broker of one gateway, with what it delivered. */
export interface TestBroker {
  readonly broker: LogBroker;
  readonly log: PostgresLog;
  readonly delivered: readonly DeliveredBatch[];
}

/** Brokers of several gateways on one database. */
export interface TestBrokers {
  readonly db: Database;
  /** Starts the broker of one more gateway. */
  start(options?: Partial<LogBrokerOptions>): Promise<TestBroker>;
  close(): Promise<void>;
}

export async function openTestBrokers(engine: 'postgres' | 'embedded'): Promise<TestBrokers> {
  const database = engine === 'postgres' ? await createTestDatabase() : undefined;
  const db = await (database
    ? openPostgres({ url: database.url, maxConnections: 16 })
    : openEmbedded({}));
  await migrate(db, [eventstreamMigrations]);
  const started: TestBroker[] = [];
  return {
    db,
    async start(options = {}) {
      const log = new PostgresLog({ db });
      const delivered: DeliveredBatch[] = [];
      const broker = new LogBroker({
        db,
        log,
        readEpoch: async () => 'epoch',
        onError: () => undefined,
        ...options,
      });
      const test = { broker, log, delivered };
      started.push(test);
      await broker.start((batch) => delivered.push(batch));
      return test;
    },
    async close() {
      await Promise.all(started.map(({ broker }) => broker.close()));
      await Promise.all(started.map(({ log }) => log.close()));
      await db.close();
      await database?.drop();
    },
  };
}

/** Returns a batch of events with these ids. */
export function batchOf(path: string, ids: readonly string[], realm = 'shop'): ChannelBatch {
  const channel = parseChannel(path);
  if (channel === undefined) throw new Error(`${path} is no channel`);
  return { realm, channel, events: ids.map((id) => ({ id, event: JSON.stringify({ id }) })) };
}

/** Returns the ids of all events, in their order. */
export function idsIn(batches: readonly ChannelBatch[] | undefined): string[] | undefined {
  return batches?.flatMap(({ events }) => events.map(({ id }) => id));
}

import { createEnvelope, type EventEnvelope } from '@posthaste/contracts';
import { migrate } from '@posthaste/postgres';
import { failedRecordHeaders } from '../src/consume/failed-record.js';
import { eventLogMigrations } from '../src/event-log/migrations.js';
import {
  type EventToPublish,
  toEventToPublish,
} from '../src/event-log/publish/event-to-publish.js';
import { append, openTestLog, type TestLog } from './open-log.js';

export type Engine = 'postgres' | 'embedded';

/** Opens a log with the tables of claims and replays, in a database of its own. */
export async function openTestEventLog(
  engine: Engine,
  options?: { readonly partitions?: number },
): Promise<TestLog> {
  const test = await openTestLog(engine, options);
  await migrate(test.db, [eventLogMigrations]);
  return test;
}

/** Input of an event to publish. */
export interface EventInput extends Partial<EventEnvelope> {
  /** Default `orders`. */
  readonly topic?: string;
  /** Default `k`. */
  readonly key?: string;
  /** Default: the application with the empty name. */
  readonly application?: string;
}

/** Returns an event to publish, with a new id unless one is given. */
export function eventOf({
  topic = 'orders',
  key = 'k',
  application = '',
  ...input
}: EventInput = {}): EventToPublish {
  const envelope = { ...createEnvelope({ name: 'placed', namespace: 'shop' }), id: '', ...input };
  return toEventToPublish(envelope, { topic, key, application });
}

/** Returns the names of the events of a topic, in the order of the log. */
export async function namesIn({ log }: TestLog, topic = 'orders'): Promise<string[]> {
  const { records } = await log.listEvents({ within: 'all', topics: [topic], limit: 1_000 });
  return records.map(({ value }) => JSON.parse(String(value)).name);
}

/** Input of a dead letter. */
export interface DeadLetterInput {
  readonly name: string;
  /** Topic that it came from. Default `orders`. */
  readonly topic?: string;
  /** Default `mail`. */
  readonly group?: string;
  /** Default: none. */
  readonly application?: string;
  /** Default: the headers that consumers write. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Appends dead letters, as consumers do. */
export async function appendDeadLetters(
  test: TestLog,
  ...letters: readonly DeadLetterInput[]
): Promise<void> {
  const names = failedRecordHeaders;
  const records = letters.map(
    ({ name, topic = 'orders', group = 'mail', application, headers }) => ({
      topic: `${topic}.dlq`,
      application,
      key: Buffer.from('k'),
      value: Buffer.from(JSON.stringify({ id: name, name, namespace: '', payload: {} })),
      headers: headers ?? {
        ce_type: name,
        [names.topic]: topic,
        [names.partition]: '2',
        [names.offset]: '7',
        [names.timestamp]: '1767323045678',
        [names.group]: group,
        [names.error]: 'INTERNAL: it broke',
        [names.attempts]: '5',
        [names.subscription]: '',
      },
    }),
  );
  await append(test, ...records);
}
